"""Who asks unusually often: near a limit of buying, though not over it. Sales may ask those for a proof of work.

Reckoned from what is counted for the limits anyway: by Flask-Limiter for this very request, or by the gate, which
counts programs' purchases in its place.
"""

from flask import current_app, request

from storefront.web.limits import standings
from storefront.web.tally import Tally

SUSPECT = 0.5
"""Part of a limit from which on somebody is suspected."""


def suspected(account: str) -> bool:
    """Whether an account, or the address whence this request comes, is near a limit. Without a gate everybody is."""
    tally: Tally | None = current_app.extensions.get("tally")
    if tally is None:
        return True
    of_this_request = max((one.used / one.limit.amount for one in standings()), default=0.0)
    return max(of_this_request, tally.part_used(account, request.remote_addr or "")) >= SUSPECT

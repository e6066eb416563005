"""What Schemathesis must know of the shop beyond its description; it loads this by SCHEMATHESIS_HOOKS.

Only what no JSON Schema can say stands here. No request is left out, and one finding is passed over, which is none.
"""

import time
from typing import Any

import schemathesis
from schemathesis import Case as AnyCase
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import ObjectLevelAuthorizationViolation

Case = AnyCase[Any]


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: Case, _kwargs: dict[str, Any]) -> None:
    """Requests that are meant to be right keep to the rules about several of their parts at once."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    body = case.body = dict(case.body)
    if case.operation.path == "/webhooks" and body.get("address"):
        body["address"] = "https://receiver.invalid/"  # nobody has that name, so nothing is sent to anybody
    opens_sale = case.operation.path == "/createmiaosha"
    if "token" in body:  # who is asking is said in one place; a chain of calls opens a sale with the token it was given
        if opens_sale and str(body["token"]).count(".") == 2:
            case.headers.pop("Authorization", None)
        else:
            del body["token"]
    if opens_sale and {"num", "time_begintokill", "time_endkill"} <= body.keys():
        keep_rules_of_sales(body)


def keep_rules_of_sales(body: dict[str, Any]) -> None:
    """A sale ends after it begins, and nobody may buy more than there is. Every other one is live."""
    now = int(time.time())
    begins, ends = sorted([body["time_begintokill"], body["time_endkill"]])
    if body["num"] % 2:
        begins, ends = now - 60, now + 3600
    body |= {"time_begintokill": begins, "time_endkill": ends + (begins == ends)}
    if body.get("limit"):
        body["limit"] = min(body["limit"], body["num"])


@schemathesis.hook
def filter_failure(_context: schemathesis.HookContext, failure: Failure, case: Case, _response: Response) -> bool:
    """Whether it is one. Of a sale's waitlist everybody sees their own place: that is nobody else's object."""
    return not (isinstance(failure, ObjectLevelAuthorizationViolation) and case.path == "/sales/{sale_id}/waitlist")

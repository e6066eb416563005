"""The draw: in a sale's first seconds whoever presses enters it, and when they pressed makes no difference.

Each entrant has a number, which a seed makes of their name: the least is first. The seed is as old as the sale and
secret until the draw is closed, so nobody can pick names that win; what it is hashed to, its seal, is there to be seen
from the beginning, so the shop can't pick another one afterwards. Once the seed is told, everybody can check.
"""

import hashlib
import secrets
from dataclasses import dataclass

from storefront.domain.records import Joined

MOST = 1 << 52
"""The greatest number. Redis keeps places as 64-bit floats, which hold this and the offsets of a ledger exactly."""


@dataclass(frozen=True)
class Entry:
    """Somebody who enters a draw, as Redis has noted; ``closes`` (Unix ms) is when nobody can any more.

    ``stands`` for one whose record was applied already, and needn't be appended.
    """

    record: Joined
    closes: int
    stands: bool


class Entering(Exception):
    """Whoever was to buy has pressed while the sale draws, and enters with this ``entry``. It isn't a refusal."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.record.sale)
        self.entry = entry


def new_seed() -> str:
    """A seed that nobody can guess: 128 bits, in hexadecimal."""
    return secrets.token_hex(16)


def seal_of(seed: str) -> str:
    """What may be told of a seed before the draw: SHA-256 of its digits, in hexadecimal."""
    return hashlib.sha256(seed.encode()).hexdigest()


def number_of(seed: str, name: str) -> int:
    """The number of the entrant of this name, 1 to ``MOST``: 52 bits of SHA-256, from the front, and one more."""
    return 1 + int(hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()[:13], 16)


def record_of(sale: str, shopper: str, name: str, at: int, seed: str) -> Joined:
    """The record of an entry that a shopper of this name made at a moment (Unix ms) to the draw of this seed."""
    return Joined(at=at, sale=sale, shopper=shopper, shopper_name=name, number=number_of(seed, name))

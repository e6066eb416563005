"""The draw: in a sale's first seconds whoever presses enters it, and when they pressed makes no difference.

Each entrant has a number, which a seed makes of their name: the least is first. The seed is as old as the sale and
secret until the draw is closed, so nobody can pick names that win; what it is hashed to, its seal, is there to be seen
from the beginning, so the shop can't pick another one afterwards. Once the seed is told, everybody can check.
"""

import hashlib
import secrets

MOST = 1 << 52
"""The greatest number. Redis keeps places as 64-bit floats, which hold this and the offsets of a ledger exactly."""


def new_seed() -> str:
    """A seed that nobody can guess: 128 bits, in hexadecimal."""
    return secrets.token_hex(16)


def seal_of(seed: str) -> str:
    """What may be told of a seed before the draw: SHA-256 of its digits, in hexadecimal."""
    return hashlib.sha256(seed.encode()).hexdigest()


def number_of(seed: str, name: str) -> int:
    """The number of the entrant of this name, 1 to ``MOST``: 52 bits of SHA-256, from the front, and one more."""
    return 1 + int(hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()[:13], 16)

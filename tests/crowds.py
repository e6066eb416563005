"""Many accounts at once, for tests that need a crowd."""

from storefront.domain.account import Account, Profile
from storefront.domain.errors import LedgerDown
from storefront.domain.ids import new_account_id
from storefront.domain.records import Registered
from storefront.services import accounts, passwords
from storefront.shop import Shop
from tests.conftest import eventually, unique

CLAIM_MS = 600_000


def registered(shop: Shop, size: int) -> list[Account]:
    """So many accounts, registered in one go: all have the password ``secret123``, hashed once."""
    password = passwords.hashed("secret123", 1)
    profiles = [Profile(unique("shopper"), 20, "x", "http://example.com/a.jpg") for _ in range(size)]
    made = [Account(new_account_id(), profile, password) for profile in profiles]
    claims = [shop.accounts.claim(account, CLAIM_MS) for account in made]
    registrations = [
        accounts.registration(account, at, epoch) for account, (at, epoch) in zip(made, claims, strict=True)
    ]
    eventually(lambda: _appended(shop, registrations))
    eventually(lambda: shop.accounts.get(made[-1].name))
    return made


def _appended(shop: Shop, registrations: list[Registered]) -> bool:
    """Whether the ledger took them all; so many at once may be too many for a busy machine. Twice is once."""
    try:
        shop.ledger.append_all(registrations)
    except LedgerDown:
        return False
    return True

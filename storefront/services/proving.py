"""Proof of work: an attempt costs a second of its asker's computing, or some seconds of waiting; the shop, little.

A challenge is ALTCHA's: find the number with which a slow hash begins as told. It is signed, names what it is for (one
account and sale, or one address that registers), runs out, and its solution is good once. Who can't compute takes a
ticket, which is the same but becomes good by itself after a while; there is one at a time for each purpose. Shortly
before a sale begins either is to be had for its start, so that nobody must work or wait when every second counts.
"""

import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import altcha
import jwt

from storefront.config import Config
from storefront.domain.errors import ProofInvalid, ProofRequired, Refused
from storefront.domain.sale import Proof, Terms
from storefront.shop import Shop

HASH = "PBKDF2/SHA-256"

ROUNDS = 1000
"""Of the hash, for one number that is tried. Many cheap tries rather than few dear ones: the shop makes one itself."""

LIFETIME = 300
"""Seconds until a challenge, or a ticket that has become good, runs out."""

AHEAD = 600
"""Seconds before a sale's start from which on what is made for it runs out only that long after the start. Not sooner:
who stores up proofs for many accounts is to have little time for it."""

REMEMBERED = AHEAD + 2 * LIFETIME
"""Seconds for which a used proof is remembered: longer than it is good, by any host's clock."""

LONGEST = 4096
"""Characters of a proof that is looked at."""

SHORTEST_WAIT = 10
"""Seconds until a ticket is good, at least."""


@dataclass(frozen=True)
class Ticket:
    """A ticket, and from when on and until when it is good (Unix seconds)."""

    proof: str
    good_from: int
    good_until: int


def for_sale(sale: str, account: str) -> str:
    """What a proof is for with which an account buys, or joins the waitlist."""
    return f"sale {sale} {account}"


def for_registration(address: str) -> str:
    """What a proof is for with which somebody registers from an address."""
    return f"register {address}"


def is_needed(terms: Terms, *, suspected: bool) -> bool:
    """Whether a sale asks for a proof of somebody who is ``suspected`` or not."""
    return terms.proof == Proof.ON or (terms.proof == Proof.SUSPICION and suspected)


def challenge(shop: Shop, purpose: str, begins: int = 0, lifetime: int = LIFETIME) -> dict[str, Any]:
    """A fresh challenge in ALTCHA's form. On average ``proof_cost`` numbers must be tried, twice as many at most.

    It runs out after ``lifetime`` seconds; if it is for a sale that ``begins`` soon (Unix seconds), so long after that.
    """
    tries = 1 + secrets.randbelow(2 * shop.config.proof_cost)
    made = altcha.create_challenge(
        HASH, ROUNDS, counter=tries, expires_at=_good_until(int(time.time()), begins, lifetime), data={"for": purpose},
        hmac_secret=_key(shop.config, "challenge"), hmac_key_secret=_key(shop.config, "solution"),
    )  # fmt: skip
    return made.to_dict()


def wait(config: Config) -> int:
    """Seconds until a ticket is good: twice what the work takes on a phone."""
    return max(SHORTEST_WAIT, math.ceil(2 * config.proof_cost / Config.proof_cost))


def _good_until(good_from: int, begins: int, lifetime: int) -> int:
    """When something runs out that is good from then on; all in Unix seconds but the last."""
    return (begins if good_from < begins <= good_from + AHEAD else good_from) + lifetime


def take_ticket(shop: Shop, purpose: str, begins: int = 0) -> Ticket:
    """The open ticket for a purpose, or a new one, good after a while; ``begins`` as for ``challenge``."""
    now = int(time.time())
    good_from = now + wait(shop.config)
    good_until = _good_until(good_from, begins, LIFETIME)
    claims = {"sub": purpose, "jti": secrets.token_hex(8), "nbf": good_from, "exp": good_until}
    made = Ticket(jwt.encode(claims, _key(shop.config, "ticket"), algorithm="HS256"), good_from, good_until)
    if shop.proofs.open_ticket(purpose, made.proof, good_until - now):
        return made
    return open_ticket(shop, purpose) or made


def open_ticket(shop: Shop, purpose: str) -> Ticket | None:
    """The open ticket for a purpose, good or not yet."""
    found = shop.proofs.ticket(purpose)
    if found is None:
        return None
    claims = jwt.decode(found, options={"verify_signature": False})
    return Ticket(found, claims["nbf"], claims["exp"])


def spending(shop: Shop, purpose: str | None, proof: str) -> AbstractContextManager[None]:
    """Use a proof up, or the ticket in its place, for what the block does; without a purpose none is needed.

    Where the block is refused it is given back: who gets nothing needn't work again. Raises ProofRequired for an empty
    one, or ProofInvalid, before the block is entered.
    """
    if purpose is None:
        return nullcontext()
    if not proof:
        raise ProofRequired
    if len(proof) > LONGEST:
        raise ProofInvalid
    spend = _spend_ticket if "." in proof else _spend_solution
    return _giving_back(spend(shop, purpose, proof))


@contextmanager
def _giving_back(give_back: Callable[[], object]) -> Iterator[None]:
    try:
        yield
    except Refused:
        give_back()
        raise


def _spend_solution(shop: Shop, purpose: str, proof: str) -> Callable[[], object]:
    try:
        payload = altcha.Payload.from_base64(proof)
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        raise ProofInvalid from fault
    asked = payload.challenge.parameters
    if asked.data != {"for": purpose}:
        raise ProofInvalid
    is_solved = any(
        altcha.verify_solution(
            payload, _derived(secret, "challenge"), hmac_key_secret=_derived(secret, "solution")
        ).verified
        for secret in shop.config.secrets
    )
    if not is_solved or not shop.proofs.spend(asked.nonce, REMEMBERED):
        raise ProofInvalid
    return partial(shop.proofs.give_back, asked.nonce)


def _spend_ticket(shop: Shop, purpose: str, proof: str) -> Callable[[], object]:
    claims = _claims_of(proof, shop.config.secrets, purpose)
    if not shop.proofs.spend_ticket(purpose, proof):
        raise ProofInvalid
    left = max(1, claims["exp"] - int(time.time()))
    return partial(shop.proofs.open_ticket, purpose, proof, left)


def _claims_of(ticket: str, secrets_: tuple[str, ...], purpose: str) -> dict[str, Any]:
    secret, *others = secrets_
    try:
        return jwt.decode(ticket, _derived(secret, "ticket"), algorithms=["HS256"], subject=purpose)
    except jwt.InvalidSignatureError as fault:
        if not others:
            raise ProofInvalid from fault
        return _claims_of(ticket, tuple(others), purpose)
    except (jwt.InvalidTokenError, UnicodeError) as fault:
        raise ProofInvalid from fault


def _key(config: Config, label: str) -> str:
    return _derived(config.secret, label)


@lru_cache(64)
def _derived(secret: str, label: str) -> str:
    """A key of its own for each kind of signature, so that none of them is good for a token or a session."""
    return hmac.new(secret.encode(), f"proof of work: {label}".encode(), hashlib.sha256).hexdigest()

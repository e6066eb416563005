"""Proof of work at the door: fresh challenges, tickets for those who can't compute, and what a page shows of both."""

import math
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, request, url_for

from storefront.domain.account import Account
from storefront.domain.errors import ProofRefused
from storefront.domain.sale import Sale
from storefront.services import proving, selling
from storefront.services.proving import Ticket
from storefront.web.faces import go_back_to, is_program, json_reply, reply, shop, submitted
from storefront.web.forms import EmptyForm, ProofForm
from storefront.web.limits import by_account, by_address, is_allowed, is_nobody, limiter
from storefront.web.suspicion import suspected
from storefront.web.who import local_address, shopper

bp = Blueprint("proving", __name__)


@bp.get("/sales/<sale_id>/proof")
def challenge(sale_id: str) -> Any:
    """Work to do before buying, or joining the waitlist."""
    asking = shopper()
    terms = selling.glance_at(shop(), sale_id).sale.terms
    return _fresh(proving.for_sale(sale_id, asking.id), terms.begins)


@bp.get("/register/proof")
def challenge_of_registration() -> Any:
    """Work to do before registering."""
    return _fresh(proving.for_registration(by_address()))


@bp.post("/sales/<sale_id>/ticket")
@limiter.limit(lambda: shop().config.limit_buy_account, key_func=by_account, exempt_when=is_nobody)
def ticket(sale_id: str) -> Any:
    """Wait instead of working, before buying."""
    asking = shopper()
    submitted(EmptyForm)
    terms = selling.glance_at(shop(), sale_id).sale.terms
    taken = proving.take_ticket(shop(), proving.for_sale(sale_id, asking.id), terms.begins)
    return reply(_for_programs(taken), then=url_for("selling.sale", product=terms.product, proof=1))


@bp.post("/register/ticket")
@limiter.limit(lambda: shop().config.limit_register, exempt_when=is_allowed)
def ticket_of_registration() -> Any:
    """Wait instead of working, before registering."""
    submitted(EmptyForm)
    taken = proving.take_ticket(shop(), proving.for_registration(by_address()))
    then = url_for("accounts.register", next=local_address(request.form.get("next")))
    return reply(_for_programs(taken), then=then)


def _fresh(purpose: str, begins: int = 0) -> Any:
    response = json_reply(proving.challenge(shop(), purpose, begins))
    response.headers["Cache-Control"] = "no-store"
    return response


def _for_programs(taken: Ticket) -> dict[str, Any]:
    good_from, good_until = (
        datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
        for moment in (taken.good_from, taken.good_until)
    )
    return {"proof": taken.proof, "good_from": good_from, "good_until": good_until}


def given_proof() -> str:
    """The proof that came with a button; empty for none. Raises InvalidForm if the request carries anything else."""
    return str(submitted(ProofForm).get("proof", ""))


@contextmanager
def asking_for_proof(product: str, sale_id: str = "") -> Iterator[None]:
    """Who is refused in the block for want of a proof is told where to get one: programs its address, people a page.

    Without a ``sale_id`` it is the product's newest sale.
    """
    try:
        yield
    except ProofRefused as refusal:
        if not is_program():
            go_back_to(url_for("selling.sale", product=product, proof=1))
        else:
            refused_by = sale_id or shop().sales.last_id_of(product)
            refusal.facts["challenge"] = url_for("proving.challenge", sale_id=refused_by, _external=True)
        raise


@contextmanager
def asking_for_proof_of_registration() -> Iterator[None]:
    """As ``asking_for_proof``. People see the form again."""
    try:
        yield
    except ProofRefused as refusal:
        refusal.facts["challenge"] = url_for("proving.challenge_of_registration", _external=True)
        raise


@dataclass(frozen=True)
class Work:
    """What a page shows that asks for a proof: where challenges and tickets are to be had; the open ticket, if any.

    ``wait`` is how many seconds a ticket takes until it is good, or still takes; 0 for one that is good.

    As long as it is too early to do anything, since it would have run out when they may buy, ``tickets_from`` is when
    that is over (Unix seconds), and ``starts`` when the page's widget does the work: not all at the same moment.
    """

    challenge: str
    take_ticket: str
    ticket: Ticket | None
    wait: int
    tickets_from: int = 0
    starts: int = 0


def work_for_sale(sale: Sale, asking: Account | None, moment_now: float) -> Work | None:
    """The work that somebody has to do before they buy, or None. Who was just refused for want of it has to."""
    is_suspect = asking is not None and ("proof" in request.args or suspected(asking.id))
    if asking is None or not proving.is_needed(sale.terms, suspected=is_suspect):
        return None
    work = _work(
        proving.for_sale(sale.id, asking.id),
        url_for("proving.challenge", sale_id=sale.id),
        url_for("proving.ticket", sale_id=sale.id),
    )
    begins, may_buy = sale.terms.begins, math.ceil(sale.terms.open_from(asking.seniority) / 1000)
    at_start = may_buy <= begins or sale.terms.is_put_back(asking.seniority)
    ahead = proving.AHEAD if at_start else proving.LIFETIME // 2
    early = (begins if at_start else may_buy) - ahead
    if moment_now >= early:
        return work
    return replace(work, tickets_from=early, starts=early + secrets.randbelow(ahead // 2))


def work_for_registration() -> Work | None:
    """The work that somebody has to do before they may register, or None."""
    if not shop().config.register_proof:
        return None
    return _work(
        proving.for_registration(by_address()),
        url_for("proving.challenge_of_registration"),
        url_for("proving.ticket_of_registration"),
    )


def _work(purpose: str, challenge_at: str, ticket_at: str) -> Work:
    found = proving.open_ticket(shop(), purpose)
    left = max(0, math.ceil(found.good_from - time.time())) if found else proving.wait(shop().config)
    return Work(challenge_at, ticket_at, found, left)

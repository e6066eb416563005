"""A scene: a shop on its stage, with shoppers who have what they need to buy and to log in, and what they ask for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench import seeding
from bench.load import Ask
from bench.scale import Scale
from bench.stage import Stage
from storefront.domain.account import Account
from storefront.domain.sale import Sale

NO, YES = frozenset({409}), frozenset({200})


@dataclass(frozen=True)
class Scene:
    """The files hold a body a line: what each of the shoppers sends to buy, and to log in."""

    stage: Stage
    scale: Scale
    shoppers: Sequence[Account]
    presses: Path
    logins: Path


@contextmanager
def opened(folder: Path, scale: Scale) -> Iterator[Scene]:
    """A shop with so many shoppers as the scale has."""
    with Stage(folder) as stage:
        who = list(seeding.people(stage.inside, scale.shoppers))
        seeding.register(stage, who)
        presses = seeding.presses(stage, who, folder / "presses")
        yield Scene(stage, scale, who, presses, seeding.logins(who, folder / "logins"))


def sold_out_sale(scene: Scene) -> Sale:
    """A sale whose one unit is ordered."""
    sale = scene.stage.open_sale(1)
    seeding.order(scene.stage, sale, scene.shoppers[:1])
    return sale


def button(sale: Sale, presses: Path, expects: frozenset[int] = NO) -> Ask:
    """Pressing a sale's button."""
    return Ask(f"/miaosha/{quote(sale.terms.product)}", presses, expects)


def page_of(sale: Sale) -> Ask:
    """A sale's page, for a visitor."""
    return Ask(f"/miaosha/{quote(sale.terms.product)}")


def status_of(sale: Sale) -> Ask:
    """A sale's status, as JSON."""
    return Ask(f"/sales/{sale.id}/status")


def login(logins: Path) -> Ask:
    """Logging in. A web process hashes two passwords at a time, so a few connections are many."""
    return Ask("/login", logins, slow=True)

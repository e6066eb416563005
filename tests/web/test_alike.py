"""Pages that are made once for many: each reader has what they would have had from one made for them alone."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask, flash, render_template
from markupsafe import escape

from storefront.domain.account import Account
from storefront.domain.sale import Phase, Sale
from storefront.web import alike, who
from tests.faces import Person

LANGUAGES = ["en", "zh"]


def context_of(sale: Sale, phase: Phase, **more: Any) -> dict[str, Any]:
    """What the sale's page is made of, for somebody who holds nothing of it."""
    usual = {
        "sale": sale,
        "phase": phase,
        "held": (),
        "place": None,
        "entered": False,
        "may_buy_from": None,
        "put_back": False,
        "work": None,
        "offer_window": 300,
        "payment_window": 3600,
        "last": None,
        "may_oversee": False,
        "why_cancelled": "",
    }
    return usual | more


def at_the_page(app: Flask, sale: Sale, language: str = "en") -> Any:
    return app.test_request_context(f"/miaosha/{quote(sale.product)}", headers={"Accept-Language": language})


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("may_buy_from", [None, 1_900_000_000])
def test_it_is_the_page_that_would_have_been_made_for_its_reader(
    app: Flask, a_sale: Callable[..., Sale], somebody: Callable[..., Account], phase: Phase, language: str,
    may_buy_from: int | None,
) -> None:  # fmt: skip
    sale, now = a_sale(), time.time()
    context = context_of(
        sale, phase, may_buy_from=may_buy_from, put_back=bool(may_buy_from), entered=phase is Phase.DRAWING
    )
    for reader in (None, somebody(), somebody()):
        with at_the_page(app, sale, language):
            if reader:
                who.enter(reader)
            kept = alike.render("sale.html", now=now, once="a-key", **context)
            assert kept == render_template("sale.html", now=now, once="a-key", **context)


@pytest.mark.parametrize("name", ["<b>&'\"", "ß", "O’Hara", "张三"])
def test_a_name_is_escaped(
    app: Flask, a_sale: Callable[..., Sale], somebody: Callable[..., Account], name: str
) -> None:
    sale, now, reader = a_sale(), time.time(), somebody(f"{name} {time.time()}")
    with at_the_page(app, sale):
        who.enter(reader)
        kept = alike.render("sale.html", now=now, once="a-key", **context_of(sale, Phase.LIVE))
        assert kept == render_template("sale.html", now=now, once="a-key", **context_of(sale, Phase.LIVE))
        assert str(escape(reader.name)) in kept


@pytest.mark.parametrize(("role", "link"), [("merchant", "Open a sale"), ("operator", "Bans")])
def test_who_has_a_role_has_the_page_of_that_role(
    app_with: Callable[..., Flask], a_sale: Callable[..., Sale], somebody: Callable[..., Account], role: str, link: str
) -> None:
    app, sale, now, shopper = app_with(sales_open_to="merchants"), a_sale(), time.time(), somebody()
    for raised in (False, True):
        with at_the_page(app, sale):
            who.enter(replace(shopper, merchant=raised and role == "merchant", operator=raised and role == "operator"))
            kept = alike.render("sale.html", now=now, once="a-key", **context_of(sale, Phase.LIVE))
            assert kept == render_template("sale.html", now=now, once="a-key", **context_of(sale, Phase.LIVE))
            assert (link in kept) == raised


def test_what_is_said_to_one_is_said_to_nobody_else(
    app: Flask, a_sale: Callable[..., Sale], somebody: Callable[..., Account]
) -> None:
    sale, now, pages = a_sale(), time.time(), []
    for said in ("for your eyes only", ""):
        with at_the_page(app, sale):
            who.enter(somebody())
            if said:
                flash(said)
            pages.append(alike.render("sale.html", now=now, once="a-key", **context_of(sale, Phase.LIVE)))
    assert "for your eyes only" in pages[0]
    assert "for your eyes only" not in pages[1]


def test_two_who_load_it_at_once_each_have_their_own_words(
    app: Flask, a_sale: Callable[..., Sale], somebody: Callable[..., Account]
) -> None:
    sale, readers = a_sale(num=5), [somebody(), somebody()]
    people = [Person(app), Person(app)]
    for person, reader in zip(people, readers, strict=True):
        person.log_in(reader.name)
    pages = [person.get(f"/miaosha/{sale.product}").text for person in people]
    for words in (r'name="csrf_token" value="([^"]+)"', r'name="once" value="([^"]+)"'):
        found = [set(re.findall(words, page)) for page in pages]
        assert all(len(one) == 1 for one in found)
        assert found[0] != found[1]
    for page, own, other in zip(pages, readers, reversed(readers), strict=True):
        assert own.name in page
        assert other.name not in page
        assert not any(gap in page for gap in alike.GAPS)
    for person in people:
        assert person.buy(sale.product).order


def test_a_page_that_could_not_be_made_leaves_no_gap_behind(app: Flask, a_sale: Callable[..., Sale]) -> None:
    with at_the_page(app, a_sale()):
        with pytest.raises(Exception, match="no-such-page"):
            alike.render("no-such-page.html", now=1.0, once="")
        assert alike.GAPS.token not in render_template("error.html", sentence="x", status=400)

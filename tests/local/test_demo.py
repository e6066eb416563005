"""The demo: it sees a sale through in a real shop, and its audit misses no unit."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console

from storefront.domain.sale import Units
from storefront.local.demo.audit import Count, audit
from storefront.local.demo.client import Client, Unplayable, loopback_address
from storefront.local.demo.crowd import Shopper, everybody
from storefront.local.demo.report import Screen
from storefront.local.embedded import free_port
from storefront.local.shop import LocalShop

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--shoppers", "30", "--units", "4")
CHEAP = {"STOREFRONT_PASSWORD_MEMORY": "1"}
PATIENCE = 280  # seconds; a busy machine takes a minute to start a shop

slow = pytest.mark.timeout(300)


def environment(**more: str) -> dict[str, str]:
    """This process's own, with nothing that leads the demo to another shop than the test's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STOREFRONT_")}
    return {**kept, "PORT": str(free_port()), "URL": "", "COLUMNS": "120", **CHEAP, **more}


def demo(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "storefront.local.demo", *words],
        cwd=ROOT, env=environment(**more), capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def left(folder: Path) -> list[Path]:
    """What is left in the folder for temporary files, but for the list of ports that all shops share."""
    return [path for path in folder.iterdir() if not path.name.startswith("storefront-ports-")]


@slow
def test_without_a_running_shop_the_demo_starts_its_own_and_every_unit_is_accounted_for(tmp_path: Path) -> None:
    done = demo(*SMALL, "--window", "6", TMPDIR=str(tmp_path))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "No shop answers" in done.stdout
    assert "left 0 + reserved 0 + unpaid 0 + paid 4 = 4 of 4" in done.stdout
    assert re.search(r"expired +2 *\n", done.stdout)
    assert re.search(r"200 .* 4 .*订单创建成功", done.stdout)
    assert "\x1b" not in done.stdout
    assert left(tmp_path) == []


@slow
def test_in_a_shop_with_a_long_window_the_unpaid_cancel_and_it_is_said(real_shop: LocalShop) -> None:
    done = demo(*SMALL, "--url", real_shop.url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "gives 3600 s to pay, too long to watch: the other 2 cancel" in done.stdout
    assert "left 0 + reserved 0 + unpaid 0 + paid 4 = 4 of 4" in done.stdout
    assert re.search(r"cancelled +2 *\n", done.stdout)


@slow
def test_where_only_merchants_open_sales_one_sentence_says_what_to_do(real_shop: LocalShop, tmp_path: Path) -> None:
    settings = {**real_shop.env, "STOREFRONT_SALES_OPEN_TO": "merchants"}
    with LocalShop(tmp_path, env=settings, only=["web"]) as shop:
        done = demo(*SMALL, "--url", shop.url)

    assert done.returncode == 2
    assert "only merchants open sales" in done.stderr
    assert "STOREFRONT_SALES_OPEN_TO=anyone" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "127.0.0.1:8000", "http://127.0.0.1:port"])
def test_an_address_without_a_shop_is_refused_in_one_sentence(url: str) -> None:
    done = demo(*SMALL, "--url", url)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert url in done.stderr


def test_a_crowd_no_larger_than_the_sale_is_refused() -> None:
    assert demo("--shoppers", "4", "--units", "4").returncode == 2


@slow
def test_ctrl_c_ends_the_demo_and_its_shop(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "storefront.local.demo", *SMALL, "--window", "60"],
        cwd=ROOT, env=environment(TMPDIR=str(tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = next((line for line in process.stdout if "own shop runs at" in line), "")
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()

    assert (complaint, process.returncode) == ("Stopped. Nothing was audited.\n", 130)
    assert left(tmp_path) == []
    url = re.search(r"http://[0-9.:]+", line)
    assert url
    assert Client(url[0].rstrip(".")).ask("GET", "/healthz").status == 0


# The audit


def shopper(name: str, orders: dict[str, str], told: Sequence[str] = (), paid: Sequence[str] = ()) -> Shopper:
    return Shopper(name, Client("http://127.0.0.1:1"), told=list(told), paid=list(paid), orders=orders)


@dataclass
class Sale:
    """What an audit looks at: by default 3 units, one paid, one unpaid, one left after an order expired."""

    count: Count = field(default_factory=lambda: Count(3, 3, Units(left=1, reserved=0, unpaid=1, paid=1, expired=1)))
    ann: Shopper = field(default_factory=lambda: shopper("ann", {"a": "paid"}, ["a"], ["a"]))
    ben: Shopper = field(default_factory=lambda: shopper("ben", {"b": "pending"}, ["b"]))
    eve: Shopper = field(default_factory=lambda: shopper("eve", {"e": "expired"}, ["e"]))

    def problems(self) -> list[str]:
        return audit(3, self.count, [self.ann, self.ben, self.eve])

    def units(self, **changes: int) -> None:
        self.count = replace(self.count, units=replace(self.count.units, **changes))


def verdict(sale: Sale) -> tuple[int, str]:
    page = io.StringIO()
    screen = Screen(Console(file=page, width=120))
    return screen.verdict(3, sale.count, [sale.ann, sale.ben, sale.eve]), page.getvalue()


def test_a_sale_in_order_passes() -> None:
    status, page = verdict(Sale())

    assert status == 0
    assert "left 1 + reserved 0 + unpaid 1 + paid 1 = 3 of 3" in page


@pytest.mark.parametrize(("left", "word"), [(0, "Units are missing: 1."), (2, "units too many: 1.")])
def test_a_missing_or_extra_unit_fails_the_demo(left: int, word: str) -> None:
    sale = Sale()
    sale.units(left=left)

    status, page = verdict(sale)

    assert status == 1
    assert word in page


def test_more_live_orders_than_units_are_oversold() -> None:
    sale = Sale()
    sale.eve.orders = {"e": "pending", "f": "pending", "g": "pending"}

    assert any("Oversold" in problem for problem in sale.problems())


def test_an_order_that_was_promised_must_be_listed() -> None:
    sale = Sale()
    sale.ben.told.append("lost")

    assert any("ben was told yes for order lost" in problem for problem in sale.problems())


def test_a_released_order_is_a_broken_promise() -> None:
    sale = Sale()
    sale.eve.orders = {"e": "released"}

    assert any("eve was told yes" in problem for problem in sale.problems())


def test_a_live_order_that_nobody_was_promised_is_found_unless_an_answer_was_lost() -> None:
    sale = Sale()
    sale.ben.told.clear()
    assert sale.problems() == ["ben has order b (pending), but was never told yes."]

    sale.ben.unsure = True
    assert sale.problems() == []


def test_a_payment_must_be_seen_alike_on_both_sides() -> None:
    sale = Sale()
    sale.ben.paid.append("b")
    assert sale.problems() == ["ben was told that order b is paid, but the shop lists it as pending."]

    sale = Sale()
    sale.units(paid=0, unpaid=2)
    assert len(sale.problems()) == 2


def test_nobody_holds_more_than_the_limit_and_no_order_has_two_owners() -> None:
    sale = Sale()
    sale.ann.orders["b"] = "pending"
    sale.ann.told.append("b")

    problems = sale.problems()

    assert "Order b belongs to 2 shoppers." in problems
    assert "ann holds 2 live orders; the limit is 1." in problems


# The crowd


def test_the_crowd_acts_at_once_and_each_from_an_address_of_their_own() -> None:
    together = threading.Barrier(20)

    def wait(_: int) -> None:
        together.wait(10)

    everybody(range(20), wait, at_once=20, seconds=20, done=lambda: None)

    assert len({loopback_address(number) for number in range(2000)}) == 2000


def test_a_crowd_that_takes_too_long_is_given_up() -> None:
    never = threading.Event()

    def wait(_: int) -> None:
        never.wait(5)

    with pytest.raises(Unplayable, match="only 0 of 2"):
        everybody([1, 2], wait, at_once=2, seconds=0.1, done=lambda: None)


def test_what_a_shopper_stumbles_over_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        everybody([0], lambda number: print(1 / number), at_once=1, seconds=5, done=lambda: None)

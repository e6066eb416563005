"""The benchmark still measures; it changes the page's figures alone; its simulation sells every unit."""

import json
import re
import shutil
from pathlib import Path

import pytest

from bench import buckets
from bench.__main__ import measured
from bench.book import DOCS, Book
from bench.load import CannotMeasure, require_wrk
from bench.scale import TINY


@pytest.fixture
def wrk() -> None:
    """Where there is none, the test is skipped with the sentence that tells what to install."""
    try:
        require_wrk()
    except CannotMeasure as fault:
        pytest.skip(str(fault))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A copy of the page and its results."""
    shutil.copy(DOCS / "performance.md", tmp_path)
    shutil.copytree(DOCS / "performance", tmp_path / "performance")
    return tmp_path


def test_a_flood_and_a_rush_can_still_be_measured(wrk: None) -> None:
    (_, flood, _), (_, rush, _) = measured(["sold-out", "crowd"], TINY)
    assert isinstance(flood, list), flood
    assert isinstance(rush, list), rush
    ours = flood[-1]
    assert ours["of"] == "the shop"
    assert ours["rate / bare Flask"] > 0
    assert {"cpu web", "cpu redis", "cpu broker", "cpu orders", "p50", "p999"} <= ours.keys()
    assert (rush[0]["shoppers"], rush[0]["units"]) == (TINY.shoppers, TINY.units)


def test_a_new_run_changes_the_figures_of_the_page_and_not_its_words(docs: Path) -> None:
    before = (docs / "performance.md").read_text()
    book = Book(docs)
    flood = [{**row, "rate": 123_400.0} for row in book.results["sold-out"]]
    book.enter("sold-out", flood, 1, quick=False)
    book.save()
    page = (docs / "performance.md").read_text()
    assert "123,400" in page
    assert _prose(page) == _prose(before)
    assert json.loads((docs / "performance/results.json").read_text())["sold-out"]["rows"] == flood


def test_the_plots_name_no_foreign_host_and_hold_no_script(docs: Path) -> None:
    Book(docs).save()
    named = re.findall(r"\(performance/([a-z-]+\.svg)\)", (docs / "performance.md").read_text())
    assert named
    for name in named:
        drawing = (docs / "performance" / name).read_text()
        assert "<script" not in drawing
        assert "//" not in drawing.replace("http://www.w3.org/", ""), f"{name} names a foreign host"


def _prose(page: str) -> str:
    return re.sub(r"(<!-- bench: [a-z-]+ -->).*?(<!-- end -->)", r"\1\2", page, flags=re.DOTALL)


@pytest.mark.parametrize("remembers", [False, True], ids=["forgets", "remembers"])
@pytest.mark.parametrize("sale", ["storm", "breeze"])
def test_buckets_sell_every_unit_once_and_tell_nobody_no_before(sale: str, *, remembers: bool) -> None:
    found = buckets.simulate(buckets.sales(500, 40e-6, 20e-6)[sale], 7, remembers=remembers)
    assert found.sold == 500
    assert found.too_early == 0


def test_the_same_seed_tells_the_same_story() -> None:
    sale = buckets.sales(100, 40e-6, 20e-6)["breeze"]
    assert buckets.simulate(sale, 4, remembers=True, seed=7) == buckets.simulate(sale, 4, remembers=True, seed=7)

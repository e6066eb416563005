"""The Chinese catalogue says everything that the shop says, and nothing else.

To bring it up to date after changing a sentence::

    pybabel extract -F babel.cfg -k _ -k N_ -k lazy_gettext --no-location -o var/messages.pot .
    pybabel update -i var/messages.pot -d storefront/translations -D messages --no-fuzzy-matching --ignore-obsolete
    pybabel compile -d storefront/translations
"""

import io
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

HERE = Path("storefront/translations/zh_Hans/LC_MESSAGES")
PLACEHOLDER = re.compile(r"%\([a-z]+\)[a-z]|%%|\{[a-z]+\}")
KEYWORDS = {**DEFAULT_KEYWORDS, "_": None, "N_": None, "lazy_gettext": None}


@pytest.fixture(scope="module")
def said(root: Path) -> set[str]:
    """Every sentence in the code and the templates."""
    with (root / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file, "babel.cfg")  # type: ignore[no-untyped-call]
    found = extract_from_dir(root, methods, options, KEYWORDS)
    return {sentence for _, _, sentence, _, _ in found if isinstance(sentence, str)}


@pytest.fixture(scope="module")
def catalogue(root: Path) -> Catalog:
    """The Chinese catalogue."""
    with (root / HERE / "messages.po").open("rb") as file:
        return read_po(file, locale="zh_Hans")


def test_nothing_is_missing_and_nothing_is_unused(said: set[str], catalogue: Catalog) -> None:
    assert len(said) > 150  # the extraction did find the sentences
    translated = {str(message.id) for message in catalogue if message.id}
    assert said - translated == set()
    assert translated - said == set()
    assert not catalogue.obsolete


def test_every_translation_is_there_and_settled(catalogue: Catalog) -> None:
    assert [message.id for message in catalogue if message.id and (message.fuzzy or not message.string)] == []


def test_every_translation_has_the_placeholders_of_its_sentence(catalogue: Catalog) -> None:
    for message in catalogue:
        if message.id:
            assert sorted(PLACEHOLDER.findall(str(message.id))) == sorted(PLACEHOLDER.findall(str(message.string)))


def test_the_compiled_catalogue_is_current(root: Path, catalogue: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    assert (root / HERE / "messages.mo").read_bytes() == compiled.getvalue(), (
        "run: pybabel compile -d storefront/translations"
    )

"""Each catalogue says everything that the shop says, and nothing else.

``make translations`` brings it up to date after a sentence was changed.
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

LANGUAGES = ["en", "zh_Hans"]
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%%|\{\w+\}")
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    **dict.fromkeys(["_", "N_", "lazy_gettext"]),
    "lazy_ngettext": (1, 2),
    "lazy_pgettext": ((1, "c"), 2),
}
"""What marks a sentence; the Makefile names the same."""


def forms(sentence: object) -> tuple[str, ...]:
    """The singular and plural of a sentence, or the one form it has."""
    return tuple(sentence) if isinstance(sentence, tuple | list) else (str(sentence),)


@pytest.fixture(scope="module")
def said(root: Path) -> set[tuple[str, ...]]:
    """Every sentence in the code and the templates."""
    with (root / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file, "babel.cfg")  # type: ignore[no-untyped-call]
    found = extract_from_dir(root, methods, options, KEYWORDS)
    return {forms(sentence) for _, _, sentence, _, _ in found}


@pytest.fixture(scope="module", params=LANGUAGES)
def folder(root: Path, request: pytest.FixtureRequest) -> Path:
    """Where the catalogue of a language stands."""
    return root / "storefront" / "translations" / str(request.param) / "LC_MESSAGES"


@pytest.fixture(scope="module")
def catalogue(folder: Path) -> Catalog:
    """The catalogue of a language."""
    with (folder / "messages.po").open("rb") as file:
        return read_po(file, locale=folder.parent.name)


def test_nothing_is_missing_and_nothing_is_unused(said: set[tuple[str, ...]], catalogue: Catalog) -> None:
    assert len(said) > 150  # the extraction did find the sentences
    translated = {forms(message.id) for message in catalogue if message.id}
    assert said - translated == set()
    assert translated - said == set()
    assert not catalogue.obsolete


def test_every_translation_is_there_and_settled(catalogue: Catalog) -> None:
    assert [message.id for message in catalogue if message.fuzzy or not all(forms(message.string or ""))] == []


def test_every_translation_has_the_placeholders_of_its_sentence(catalogue: Catalog) -> None:
    for message in catalogue:
        wanted = sorted(PLACEHOLDER.findall(forms(message.id)[-1]))
        for translation in forms(message.string) if message.id else ():
            assert sorted(PLACEHOLDER.findall(translation)) == wanted


def test_the_compiled_catalogue_is_current(folder: Path, catalogue: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    assert (folder / "messages.mo").read_bytes() == compiled.getvalue(), (
        "run: pybabel compile -d storefront/translations"
    )

"""What text the shop accepts from people: normal form, length, and no characters that deceive or break.

Both faces and the address bar pass through here, so one spelling of a name is one name.
"""

import unicodedata

from storefront.domain.errors import N_

# Bidirectional overrides and isolates: they make one name look like another (Unicode TR 36, "Bidirectional Text
# Spoofing").
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Marks and spaces without width: a name with one looks like the name without it. The joiners of emoji and of Persian
# (U+200C, U+200D) are needed.
_UNSEEN = frozenset("\u00ad\u061c\u180e\u200b\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff")
_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # fillers: letters and signs that show nothing
_LINE_BREAKS = frozenset("\n\t")


def normal(text: str) -> str:
    """``text`` without outer white space, in Unicode normal form C, with LF as the only line break."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()


def folded(text: str) -> str:
    """``text`` as it is searched: letters of either case and characters of either width are the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def flaw(text: str, *, lines: bool = False) -> str | None:
    """Why ``text`` can't be accepted, as a sentence, or None. ``lines`` allows line breaks and tabs."""
    for char in text:
        if lines and char in _LINE_BREAKS:
            continue
        if char in _BIDI or char in _UNSEEN or unicodedata.category(char) in _FORBIDDEN or _no_character(char):
            return N_("Control characters are not allowed.")
    return None


def _no_character(char: str) -> bool:
    """Whether the code point is none of a character, for good (Unicode, section 23.7)."""
    return ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF


def name_flaw(name: str) -> str | None:
    """Why nobody can have this name, as a sentence, or None. A name shows something."""
    if name and all(char in _BLANK or unicodedata.category(char)[0] in "CZ" for char in name):
        return N_("A name must show something.")
    return flaw(name)


def product_flaw(name: str) -> str | None:
    """Why a product can't have this name, as a sentence, or None.

    ``.`` and ``..`` are what browsers resolve away in an address, percent-encoded too (WHATWG URL, "double-dot path
    segment"), so a product of that name could never be reached.
    """
    if name in (".", ".."):
        return N_("A product cannot be named “.” or “..”.")
    return name_flaw(name)

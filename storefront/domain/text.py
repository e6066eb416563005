"""What text the shop accepts from people: normal form, length, and no characters that deceive or break.

Both faces and the address bar pass through here, so one spelling of a name is one name.
"""

import unicodedata

from storefront.domain.errors import N_

# Bidirectional overrides and isolates: they make one name look like another (Unicode TR 36, "Bidirectional Text
# Spoofing").
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_LINE_BREAKS = frozenset("\n\t")


def normal(text: str) -> str:
    """``text`` without outer white space, in Unicode normal form C, with LF as the only line break."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()


def flaw(text: str, *, lines: bool = False) -> str | None:
    """Why ``text`` can't be accepted, as a sentence, or None. ``lines`` allows line breaks and tabs."""
    for char in text:
        if lines and char in _LINE_BREAKS:
            continue
        if char in _BIDI or unicodedata.category(char) in _FORBIDDEN:
            return N_("Control characters are not allowed.")
    return None


def product_flaw(name: str) -> str | None:
    """Why a product can't have this name, as a sentence, or None.

    ``.`` and ``..`` are what browsers resolve away in an address, percent-encoded too (WHATWG URL, "double-dot path
    segment"), so a product of that name could never be reached.
    """
    if name in (".", ".."):
        return N_("A product cannot be named “.” or “..”.")
    return flaw(name)

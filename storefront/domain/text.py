"""What text the shop accepts from people: normal form, length, and no characters that deceive or break.

Both faces and the address bar pass through here, so one spelling of a name is one name.
"""

import re
import unicodedata

from storefront.domain.errors import N_

# Parts of regular expressions, all below U+10000 so that they read alike in Python and in a JSON Schema (ECMA 262).

# Bidirectional overrides and isolates: they make one name look like another (Unicode TR 36, "Bidirectional Text
# Spoofing"). Line and paragraph separators stand between them.
_BIDI = r"\u2028-\u202e\u2066-\u2069"
# Marks and spaces without width: a name with one looks like the name without it. The joiners of emoji and of Persian
# (U+200C, U+200D) are needed.
_UNSEEN = r"\u00ad\u061c\u180e\u200b\u200e\u200f\u2060-\u2064\ufeff"
# Code points that are none of a character, for good (Unicode, section 23.7).
_NO_CHARACTER = r"\ufdd0-\ufdef\ufffe\uffff"
_NO_CHARACTER_ABOVE = "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(1, 17))
UNWANTED_BUT_IN_LINES = rf"\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}{_UNSEEN}{_NO_CHARACTER}"
"""What no text may hold; line breaks and tabs only where a text may have lines."""
UNWANTED = rf"\t\n{UNWANTED_BUT_IN_LINES}"
"""What no text of one line may hold."""
SHOWS_NOTHING = (
    r"\s\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u200c\u200d\u2065\u206a-\u206f\ufff9-\ufffb"
    r"\u115f\u1160\u2800\u3164\uffa0"
)
"""White space, marks of format, and fillers, which are letters and signs that show nothing."""

_SURROGATES = r"\ud800-\udfff"
_FLAW = re.compile(f"[{UNWANTED}{_SURROGATES}{_NO_CHARACTER_ABOVE}]")
_FLAW_IN_LINES = re.compile(f"[{UNWANTED_BUT_IN_LINES}{_SURROGATES}{_NO_CHARACTER_ABOVE}]")
_FORMAT_ABOVE = (
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001-\U000e007f"
)
_NAMELESS = re.compile(f"[{UNWANTED}{SHOWS_NOTHING}{_FORMAT_ABOVE}]+")


def normal(text: str) -> str:
    """``text`` without outer white space, in Unicode normal form C, with LF as the only line break."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()


def folded(text: str) -> str:
    """``text`` as it is searched: letters of either case and characters of either width are the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def flaw(text: str, *, lines: bool = False) -> str | None:
    """Why ``text`` can't be accepted, as a sentence, or None. ``lines`` allows line breaks and tabs."""
    if (_FLAW_IN_LINES if lines else _FLAW).search(text):
        return N_("Control characters are not allowed.")
    return None


def name_flaw(name: str) -> str | None:
    """Why nobody can have this name, as a sentence, or None. A name shows something."""
    if _NAMELESS.fullmatch(name):
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

"""A picture that the shop keeps: drawn anew from what was given, in a few widths, and named by its content."""

import re
from dataclasses import dataclass

WIDTHS = (320, 640, 1280)
"""Widths in pixels of the files of a picture that is large enough for them; the last bounds its height too."""

SCHEME = "picture:"
"""What a sale's ``image`` begins with where it names a picture of the shop, rather than an address elsewhere."""

_NAME = re.compile(r"([0-9a-f]{32})-([1-9][0-9]{0,3})x([1-9][0-9]{0,3})")


@dataclass(frozen=True)
class Picture:
    """``digest`` stands for the content; ``width`` and ``height``, in pixels, are those of the largest file."""

    digest: str
    width: int
    height: int

    @property
    def name(self) -> str:
        """What its files' names begin with."""
        return f"{self.digest}-{self.width}x{self.height}"

    @property
    def image(self) -> str:
        """What a sale's ``image`` is where it names this picture."""
        return SCHEME + self.name

    @property
    def widths(self) -> list[int]:
        """The widths in which there are files, the smallest first."""
        return [width for width in WIDTHS if width < self.width] + [self.width]

    def file(self, width: int) -> str:
        """The name of the file of one of ``widths``."""
        return f"{self.name}-{width}.webp"


def named(name: str) -> Picture | None:
    """The picture of this name, or None where it is no picture's name."""
    found = _NAME.fullmatch(name)
    return Picture(found[1], int(found[2]), int(found[3])) if found else None


def given_in(image: str) -> Picture | None:
    """The picture that a sale's ``image`` names, or None where it is an address elsewhere, or nothing."""
    return named(image.removeprefix(SCHEME)) if image.startswith(SCHEME) else None


def is_elsewhere(image: str) -> bool:
    """Whether a sale's ``image`` is an address from which its picture must be fetched."""
    return image.lower().startswith(("http://", "https://"))

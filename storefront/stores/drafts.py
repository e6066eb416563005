"""Pictures of sales that aren't open yet: in the pictures' folder, each owner's own, for a day.

``drafts/OWNER.DIGEST-WIDTHxHEIGHT`` holds the files of one picture, named as they will be (see ``stores.pictures``).
Owners are told apart by a digest, so that nobody guesses a name.
"""

import hashlib
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from storefront.domain.picture import Picture
from storefront.stores.pictures import write_whole

KEPT = 86_400
"""Seconds for which a picture is kept after it was last given."""

MOST_OF_ONE = 5
MOST_OF_ALL = 500
"""How many are kept; the oldest make room. A picture is under a megabyte, most of them far."""


class Drafts:
    """The folder. Raises OSError where it can't be used."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder, "drafts")

    def keep(self, owner: str, picture: Picture, files: Mapping[str, bytes]) -> None:
        """Keep an owner's picture, and make room for it."""
        place = self._place(owner, picture)
        self._folder.mkdir(exist_ok=True)
        place.mkdir(exist_ok=True)
        for name, content in files.items():
            write_whole(place / name, content)
        place.touch()
        self._tidy(place.name.partition(".")[0])

    def files(self, owner: str, picture: Picture) -> dict[str, bytes] | None:
        """The files of an owner's picture, by name; None where it isn't kept, or no more."""
        place = self._place(owner, picture)
        try:
            return {name: (place / name).read_bytes() for name in map(picture.file, picture.widths)}
        except FileNotFoundError:
            return None

    def path(self, owner: str, picture: Picture) -> Path | None:
        """Where the largest file of an owner's picture is, or None."""
        path = (self._place(owner, picture) / picture.file(picture.width)).absolute()
        return path if path.is_file() else None

    def _place(self, owner: str, picture: Picture) -> Path:
        return self._folder / f"{hashlib.sha256(owner.encode()).hexdigest()[:32]}.{picture.name}"

    def _tidy(self, owner: str) -> None:
        aged: list[tuple[float, Path]] = []
        for place in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process tidies, too
                aged.append((place.stat().st_mtime, place))
        aged.sort(reverse=True)
        own = [place for _, place in aged if place.name.startswith(f"{owner}.")]
        old = [place for changed, place in aged if changed < time.time() - KEPT]
        for place in {*own[MOST_OF_ONE:], *old, *(place for _, place in aged[MOST_OF_ALL:])}:
            shutil.rmtree(place, ignore_errors=True)

"""Pictures in a folder that all web hosts share, and in Redis those that are still to be fetched.

The folder holds ``DIGEST-WIDTHxHEIGHT-WIDTH.webp``, each written once and never changed, and ``sales/SALE``, which says
which picture a sale has. Everything is written beside its place and then moved there, so nobody sees half of it.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from storefront.domain import picture as pictures
from storefront.domain.picture import Picture
from storefront.stores import keys
from storefront.stores.memory import Memory

REMEMBERED = 10_000
"""Sales whose picture a process remembers, which spares looking into the folder at each page."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody sees half of it, and none of it is lost. Raises OSError."""
    beside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


class Pictures:
    """The folder. Raises OSError where it can't be used."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._sales = self._folder / "sales"
        self._known: dict[str, Picture] = {}

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Write the files of a picture, by name. What is there already stays."""
        for name, content in files.items():
            if not (self._folder / name).exists():
                write_whole(self._folder / name, content)

    def path(self, file: str) -> Path | None:
        """Where a picture's file is, or None where ``file`` isn't the name of one that exists."""
        name, _, end = file.rpartition("-")
        picture = pictures.named(name)
        if picture is None or not any(file == picture.file(width) for width in picture.widths):
            return None
        path = (self._folder / file).absolute()
        return path if end and path.is_file() else None

    def assign(self, sale_id: str, picture: Picture) -> None:
        """Say which picture a sale has. Its files are there already."""
        self._sales.mkdir(exist_ok=True)
        write_whole(self._sales / sale_id, picture.name.encode())

    def of_sale(self, sale_id: str) -> Picture | None:
        """The picture of a sale, as far as the folder knows. A sale gets one once, so a process may remember it."""
        known = self._known.get(sale_id)
        if known is None:
            try:
                known = pictures.named((self._sales / sale_id).read_text())
            except (OSError, ValueError):  # a page without its picture is better than no page
                return None
            if known:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[sale_id] = known
        return known


class Awaited:
    """The sales whose picture is still to be fetched from its address.

    They are noted whenever ``Opened`` is applied, so a Redis that was emptied has them again. ``tries_ms`` are the
    milliseconds from each try to the next. Two who fetch at once are merely wasteful.
    """

    def __init__(self, memory: Memory, tries_ms: tuple[int, ...] = (10_000, 60_000, 600_000)) -> None:
        self._memory = memory
        self._tries = tries_ms

    def take(self, now_ms: int) -> tuple[str, bool] | None:
        """The sale whose picture is to be fetched now, and whether this is the last try; None if there is none.

        It is noted for the next try at once: whoever took it may die of the picture.
        """
        redis = self._memory.redis
        due = redis.zrangebyscore(keys.PICTURES_DUE, "-inf", now_ms, start=0, num=1)
        if not due:
            return None
        sale_id = str(due[0])
        tried = int(redis.hincrby(keys.PICTURES_TRIED, sale_id, 1))
        if tried > len(self._tries) + 1:  # whoever made the last try did not come back
            self.done(sale_id)
            return self.take(now_ms)
        wait = self._tries[min(tried, len(self._tries)) - 1]
        redis.zadd(keys.PICTURES_DUE, {sale_id: now_ms + wait}, xx=True)
        return sale_id, tried > len(self._tries)

    def done(self, sale_id: str) -> None:
        """Fetch this one no more. Whether it failed stays noted."""
        pipeline = self._memory.redis.pipeline(transaction=True)
        pipeline.zrem(keys.PICTURES_DUE, sale_id)
        pipeline.hdel(keys.PICTURES_TRIED, sale_id)
        pipeline.execute()

    def failed(self, sale_id: str, code: str) -> None:
        """Note why the last try came to nothing."""
        self._memory.redis.hset(keys.PICTURES_FAILED, sale_id, code)

    def standing(self, sale_id: str) -> tuple[bool, str | None]:
        """Whether a sale's picture is still to be fetched, and why the last try came to nothing."""
        pipeline = self._memory.redis.pipeline(transaction=False)
        pipeline.zscore(keys.PICTURES_DUE, sale_id)
        pipeline.hget(keys.PICTURES_FAILED, sale_id)
        due, code = pipeline.execute()
        return due is not None, code

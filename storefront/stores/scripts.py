"""Loads the Lua scripts by name. ``lua/prelude.lua`` stands in front of each of them."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis

Call = tuple[str, list[str], list[Any]]
"""A script's name, its keys and its arguments."""


@cache
def _source(name: str) -> str:
    folder = files("storefront.stores") / "lua"
    return (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()


class Scripts:
    """The shop's scripts on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts: dict[str, Any] = {}

    def _script(self, name: str) -> Any:
        if name not in self._scripts:
            self._scripts[name] = self._redis.register_script(_source(name))
        return self._scripts[name]

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """The script's answer. Sends its source along only if Redis doesn't know it."""
        return self._script(name)(keys=keys, args=args)

    def run_many(self, calls: Iterable[Call]) -> list[Any]:
        """The answers of several scripts, run in order in one round trip, each atomic by itself.

        Every source travels in front of the row: if a script were unknown, those behind it would run without it, and
        it could not be made up for, since what they did moved the position on.
        """
        calls = list(calls)
        names = dict.fromkeys(name for name, _, _ in calls)
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.script_load(_source(name))
        for name, keys, args in calls:
            pipeline.evalsha(self._script(name).sha, len(keys), *keys, *args)
        return pipeline.execute()[len(names) :] if calls else []

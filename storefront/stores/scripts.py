"""Loads the Lua scripts by name. ``lua/prelude.lua`` stands in front of each of them."""

from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis

Call = tuple[str, list[str], list[Any]]
"""A script's name, its keys and its arguments."""

ROW = 100
"""Scripts in one step. Nobody else is served meanwhile: some milliseconds."""


@cache
def source(name: str) -> str:
    """A script's text, the prelude in front."""
    folder = files("storefront.stores") / "lua"
    return (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()


class Scripts:
    """The shop's scripts on one Redis; ``source`` gives their texts by name."""

    def __init__(self, redis: Redis, source: Callable[[str], str] = source) -> None:
        self._redis = redis
        self._source = source
        self._scripts: dict[str, Any] = {}

    def _script(self, name: str) -> Any:
        if name not in self._scripts:
            self._scripts[name] = self._redis.register_script(self._source(name))
        return self._scripts[name]

    def run(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """The script's answer. Sends its source along only if Redis doesn't know it."""
        return self._script(name)(keys=keys, args=args)

    def run_many(self, calls: Iterable[Call]) -> list[Any]:
        """The answers of several scripts, run in order, up to ``ROW`` of them in one step and one round trip.

        If one can't run, none behind it does: a sale's position that passed over a record would lose it. So each row
        brings its scripts' sources along (a Redis that restarted knows none), and is a transaction (what makes Redis
        refuse writes can't end within one).
        """
        calls = list(calls)
        answers: list[Any] = []
        for start in range(0, len(calls), ROW):
            answers += self._run_row(calls[start : start + ROW])
        return answers

    def _run_row(self, row: list[Call]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=True)
        brought: set[str] = set()
        for name, keys, args in row:
            if name in brought:
                pipeline.evalsha(self._script(name).sha, len(keys), *keys, *args)
            else:
                pipeline.eval(self._source(name), len(keys), *keys, *args)
                brought.add(name)
        return pipeline.execute()

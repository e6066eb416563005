"""Loads the Lua scripts by name. ``lua/prelude.lua`` stands in front of each of them."""

from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import NoScriptError

Call = tuple[str, list[str], list[Any]]
"""A script's name, its keys and its arguments."""

Command = tuple[str | int, ...]
"""A plain command of Redis and its arguments."""


def place(offset: int, before: int | None = None) -> str:
    """Where a record stands, as the scripts that apply records read it (``guard`` in ``prelude.lua``).

    ``before`` is the offset of the record in front of it about the same sale, or of the accounts, in one row of calls.
    """
    return f"{offset}" if before is None else f"{offset} {before}"


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

    def run_each(
        self, calls: list[Call], commands: Iterable[Command] = (), replicas: int = 0, timeout_ms: int = 0
    ) -> tuple[list[Any], int]:
        """Of each script its answer or its fault, and how many replicas hold all that this connection has written.

        They run in one round trip; ``commands`` follow, of which nothing is told. Waits until ``replicas`` hold it,
        ``timeout_ms`` at most (Redis's command WAIT); for none, not at all.
        """

        def send() -> list[Any]:
            pipeline = self._pipeline(calls)
            for command in commands:
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py's own
            if replicas:
                pipeline.wait(replicas, timeout_ms)
            return pipeline.execute(raise_on_error=False)

        told = send()
        if any(isinstance(word, NoScriptError) for word in told):
            self.load({name for name, _, _ in calls})
            told = send()
        holding = told[-1] if replicas else 0
        if isinstance(holding, Exception):
            raise holding
        return told[: len(calls)], int(holding)

    def run_many(self, calls: Iterable[Call]) -> list[Any]:
        """The answers of several scripts, run in order in one round trip, each atomic by itself.

        Every script of the shop may run twice, so after a restart of Redis the whole row is sent again. One that fails
        doesn't keep those behind it from running; where order matters, they see it by their ``place``.
        """
        calls = list(calls)

        def send() -> list[Any]:
            return self._pipeline(calls).execute() if calls else []

        return self.with_sources(send, {name for name, _, _ in calls})

    def sha(self, name: str) -> str:
        """By what ``EVALSHA`` knows a script."""
        return str(self._script(name).sha)

    def with_sources(self, send: Callable[[], list[Any]], names: set[str]) -> list[Any]:
        """What ``send``, which calls these scripts, returns; called again if Redis didn't know one of them."""
        try:
            return send()
        except NoScriptError:
            self.load(names)
            return send()

    def _pipeline(self, calls: list[Call]) -> Pipeline:
        pipeline = self._redis.pipeline(transaction=False)
        for name, keys, args in calls:
            pipeline.evalsha(self._script(name).sha, len(keys), *keys, *args)
        return pipeline

    def load(self, names: set[str]) -> None:
        """Have Redis know these scripts."""
        for name in names:
            self._redis.script_load(self._source(name))

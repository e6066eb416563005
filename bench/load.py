"""The load: `wrk`, one thread of it, with keep-alive connections from this machine."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, cast

SCRIPT = Path(__file__).with_name("wrk.lua")
SPARE = 30
"""Seconds: wrk's patience with one answer, and ours with wrk beyond the time that it was given."""

PATIENCE = (1, 5, 20)
"""Seconds that a server is given, one after the other, to answer as it should."""

FEW, LONG = 4, 3
"""Connections and seconds for what is slow."""


class CannotMeasure(Exception):
    """The benchmark can't go on. The message is a sentence that says why, and what to do."""


@dataclass(frozen=True)
class Ask:
    """What is asked again and again: a path with a JSON body from each line of ``bodies``, or a GET without one.

    ``expects`` are the statuses that mean that it was answered as it should be. What is ``slow`` is asked over a few
    connections for a longer time.
    """

    path: str
    bodies: Path | None = None
    expects: frozenset[int] = frozenset({200})
    slow: bool = False

    @property
    def words(self) -> list[str]:
        """The same for the script."""
        return ["GET", self.path, "-"] if self.bodies is None else ["POST", self.path, str(self.bodies)]

    def pace(self, connections: int, seconds: int) -> tuple[int, int]:
        """Over how many connections to ask, and for how long, where these are usual."""
        return (min(connections, FEW), max(seconds, LONG)) if self.slow else (connections, seconds)


@dataclass(frozen=True)
class Shot:
    """What wrk measured. Latencies in ms; ``broken`` connections, and answers that were ``late`` for its timeout.

    ``statuses`` are counted only where that was asked for.
    """

    requests: int
    seconds: float
    broken: int
    late: int
    refused: int
    p50: float
    p90: float
    p99: float
    p999: float
    most: float
    statuses: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def require_wrk() -> None:
    """Raise CannotMeasure where there is no wrk."""
    if shutil.which("wrk") is None:
        raise CannotMeasure("There is no wrk, which drives the load. Install it (Debian: apt-get install wrk).")


def steady(url: str, ask: Ask, connections: int, seconds: int) -> Shot:
    """Ask for so many seconds, as fast as the answers come."""
    with _wrk(url, ask, "cycle", connections, seconds) as wrk:
        return _figures(wrk, seconds)


def checked(url: str, ask: Ask, connections: int) -> None:
    """The same for a second, to see that every answer is one that is expected, and to warm a server up.

    Where it isn't, or there is none, as from a server that was just started on a busy machine, it is given more time,
    twice. Raises CannotMeasure.
    """
    for seconds in PATIENCE:
        with _wrk(url, ask, "count", connections, seconds) as wrk:
            shot = _figures(wrk, seconds)
        if shot.requests and not unexpected(ask, shot):
            return
    raise CannotMeasure(
        f"{ask.path} was to answer {sorted(ask.expects)}; of {shot.requests} answers others were "
        f"{unexpected(ask, shot) or 'none'}, and {shot.broken} connections broke. See the shop's logs."
    )


def unexpected(ask: Ask, shot: Shot) -> dict[str, int]:
    """How many answers had a status that isn't expected, by status."""
    return {status: count for status, count in shot.statuses.items() if int(status) not in ask.expects}


def once(url: str, ask: Ask, connections: int, seconds: int) -> tuple[Shot, float]:
    """Send every line of the bodies once, and count the statuses; also when it began, by the monotonic clock.

    The shot's ``seconds`` are those from the first request to the last answer. Raises CannotMeasure if that takes more
    than ``seconds``.
    """
    with _wrk(url, ask, "once", connections, seconds) as wrk:
        output = cast("IO[str]", wrk.stdout)
        began = ended = 0.0
        for line in output:
            if line == "first\n":
                began = time.monotonic()
            elif line == "last\n":
                ended = time.monotonic()
                break
        wrk.send_signal(signal.SIGINT)
        shot = _figures(wrk, 0)
    if not ended:
        raise CannotMeasure(f"Not everyone had an answer from {ask.path} within {seconds} s.")
    return replace(shot, seconds=ended - began), began


@contextmanager
def _wrk(url: str, ask: Ask, mode: str, connections: int, seconds: int) -> Iterator["subprocess.Popen[str]"]:
    options = {"-t": 1, "-c": connections, "-d": seconds, "--timeout": SPARE, "-s": SCRIPT}
    words = [str(word) for option in options.items() for word in option]
    wrk = subprocess.Popen(
        ["wrk", *words, url, "--", *ask.words, mode], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield wrk
    finally:
        wrk.kill()
        wrk.communicate()


def _figures(wrk: "subprocess.Popen[str]", seconds: float) -> Shot:
    said, _ = wrk.communicate(timeout=seconds + SPARE)
    for line in said.splitlines():
        if line.startswith("figures "):
            return Shot(**json.loads(line.removeprefix("figures ")))
    raise CannotMeasure(f"wrk did not measure anything. It said: {said.strip()}")

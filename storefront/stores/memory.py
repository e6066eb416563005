"""One connection pool to Redis, and its answers with the types they really have.

Replies are decoded to text; redis-py's own annotations can't know that.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from storefront.domain.errors import Recovering
from storefront.stores import keys
from storefront.stores.connection import connect
from storefront.stores.scripts import Call, Command, Scripts

log = logging.getLogger(__name__)

TIMEOUT = 2.0
"""Seconds that a call may wait for Redis."""

REPLICA_TIMEOUT_MS = 500
"""Milliseconds that a promise may wait for replicas to hold it."""


class Memory:
    """The shop's Redis: plain reads here, decisions through ``scripts``.

    One retry covers a connection that Redis closed; every script may run twice. ``replicas`` is how many replicas must
    hold what a promise rests upon before it is made.
    """

    def __init__(self, url: str, replicas: int = 0, timeout: float = TIMEOUT) -> None:
        self._replicas = replicas
        self.redis = connect(
            url,
            decode_responses=True,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.1), retries=1),
        )
        self.scripts = Scripts(self.redis)

    def promise(self, name: str, script_keys: list[str], args: list[Any]) -> str:
        """The word with which a script makes a promise. Raises as ``promises``, and the script's own fault."""
        (word,) = self.promises([(name, script_keys, args)])
        if isinstance(word, Exception):
            raise word
        return word

    def promises(self, calls: list[Call], commands: Iterable[Command] = ()) -> list[str | Exception]:
        """The words with which scripts make promises, or their faults; in one round trip with what ``commands`` note.

        Raises Recovering if too few replicas hold all of it in time: a primary that was cut off while another was
        promoted has no replica any more that would hold anything, so it promises nothing.
        """
        words, holding = self.scripts.run_each(calls, commands, self._replicas, REPLICA_TIMEOUT_MS)
        if holding < self._replicas:
            raise Recovering
        return words

    def warm(self, connections: int, scripts: set[str]) -> None:
        """Open so many connections, and have Redis know these scripts. Raises redis.RedisError."""
        pool = self.redis.connection_pool
        opened = [pool.get_connection() for _ in range(connections)]
        for connection in opened:
            pool.release(connection)
        self.scripts.load(scripts)

    def ping(self) -> None:
        """Raises redis.RedisError if Redis doesn't answer."""
        self.redis.ping()

    def replicas(self) -> int:
        """How many replicas follow this Redis."""
        told = self.redis.info("replication")
        return sum(told[f"slave{number}"]["state"] == "online" for number in range(told["connected_slaves"]))

    def rewrite_log(self) -> None:
        """Have Redis write its append-only file anew, in the background.

        A file that was torn within a transaction is cut there when Redis starts (``aof-load-truncated``), but the
        transaction stays open in it: what is written behind it belongs to it when Redis starts once more, and half
        of it is done again.
        """
        try:
            self.redis.bgrewriteaof()
        except ResponseError as fault:  # one is under way, or this Redis belongs to somebody who doesn't allow it
            log.debug("Redis does not write its append-only file anew: %s", fault)

    def hash(self, key: str) -> dict[str, str]:
        """All fields of a hash; empty if there is none."""
        return cast("dict[str, str]", self.redis.hgetall(key))

    def hashes(self, wanted: list[str]) -> list[dict[str, str]]:
        """Several hashes in one round trip."""
        pipeline = self.redis.pipeline(transaction=False)
        for key in wanted:
            pipeline.hgetall(key)
        return cast("list[dict[str, str]]", pipeline.execute()) if wanted else []

    def field(self, key: str, name: str) -> str | None:
        """One field of a hash."""
        return cast("str | None", self.redis.hget(key, name))

    def text(self, key: str) -> str | None:
        """A string."""
        return cast("str | None", self.redis.get(key))

    def read_and_run(self, key: str, fields: list[str], call: Call) -> tuple[list[str | None], Any]:
        """Some fields of a hash and, after that and in the same round trip, a script's answer."""
        name, script_keys, args = call

        def send() -> list[Any]:
            pipeline = self.redis.pipeline(transaction=False)
            pipeline.hmget(key, fields)
            pipeline.evalsha(self.scripts.sha(name), len(script_keys), *script_keys, *args)
            return pipeline.execute()

        found, answer = self.scripts.with_sources(send, {name})
        return found, answer

    def members(self, key: str) -> set[str]:
        """A set."""
        return cast("set[str]", self.redis.smembers(key))

    def now_ms(self) -> int:
        """Redis's clock, Unix milliseconds."""
        seconds, micros = self.redis.time()
        return seconds * 1000 + micros // 1000

    def anomaly(self, kind: str, partition: tuple[str, int] | None = None) -> None:
        """Count something that the design rules out; what a partition's lines led to, by that partition."""
        self.redis.hincrby(keys.ANOMALIES, keys.anomaly(kind, partition), 1)

    def forgive(self, partition: tuple[str, int]) -> None:
        """Count no more what a partition's lines led to so far: behind them its ledger was mended."""
        ending = keys.anomaly("", partition)
        if those := [field for field in self.hash(keys.ANOMALIES) if field.endswith(ending)]:
            self.redis.hdel(keys.ANOMALIES, *those)

    def anomalies(self) -> dict[str, int]:
        """How often each kind of thing that the design rules out happened, partitions taken together."""
        found: Counter[str] = Counter()
        for field, count in self.hash(keys.ANOMALIES).items():
            found[field.partition("@")[0]] += int(count)
        return dict(found)


def pairs(flat: list[Any]) -> list[tuple[str, str]]:
    """``[a, b, c, d]`` as ``[(a, b), (c, d)]``."""
    return list(zip(flat[::2], flat[1::2], strict=True))

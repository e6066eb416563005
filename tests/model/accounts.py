"""The protocol by which a name becomes somebody's account, as pure functions, with all that can happen to it.

A second, small model beside that of a purchase, for the same explorer: people want one name at once; a registration may
arrive late, twice or never; the sweep withdraws; an administrator may delete; Redis restarts, rolls back or is emptied.
Every function bears the name of the script it stands for. The worker reads as the other model's does, whose reductions
show that any number of them can do no more than one, so here is one. A ledger that is cut is mended as there too.

What is promised: a person told yes has the account for good, unless it is deleted; a name is one person's; and it is
never lost for ever, that is, when all rests, it is free or somebody's account.

The scripts also keep a name from a second registration while it is somebody's account. With the safeguards below that
never comes to matter ("first" can be off without a violation), since a claim is lost only by being withdrawn, or with
its epoch.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, compress, permutations
from typing import Any, NamedTuple

SAFEGUARDS = {
    "epoch": "claim and confirm say yes only in the epoch that is in force and signed",
    "mark": "the sweep marks a claim as withdrawing before it appends Withdrawn",
    "gone": "a registration that was withdrawn never becomes an account",
    "signed": "a Registered of another epoch than the ledger's last Signed is refused for good",
    "chain": "a Signed names the epoch it succeeds, and counts only if that one is still the last",
    "sweep": "the sweep withdraws claims whose registration hasn't come through",
}

NOBODY = -1
Off = frozenset[str]


class Name(NamedTuple):
    """What Redis holds under the name: free, claimed, withdrawing or active, by whom, since which epoch if claimed."""

    state: str
    account: int
    epoch: int


FREE = Name("free", NOBODY, 0)


class Redis(NamedTuple):
    """The name, the accounts that may never be again, the epoch signed in the ledger, the first record not applied."""

    name: Name
    gone: frozenset[int]
    signed: int
    position: int


class Record(NamedTuple):
    """Registered, Withdrawn or Deleted of an account, or Signed. ``epoch`` and ``succeeds`` as in the other model."""

    kind: str
    account: int
    epoch: int = 0
    succeeds: int = 0


class Web(NamedTuple):
    """One person's registration: start, asked (Registered is in flight), recorded (it is acknowledged), or yes."""

    at: str
    epoch: int


class World(NamedTuple):
    """Everything. ``kept`` are states to which Redis may roll back, ``base`` is what a replay begins with."""

    redis: Redis
    epoch: int
    ledger: tuple[Record, ...]
    flying: frozenset[Record]
    webs: tuple[Web, ...]
    kept: tuple[Redis, ...]
    rollbacks: int
    deletions: int
    base: Redis


Step = tuple[str, World]
EMPTY = Redis(FREE, frozenset(), 0, 0)
START, YES = Web("start", 0), Web("yes", 0)


def claim_account(redis: Redis, account: int, epoch: int, off: Off) -> Redis | None:
    """Claim the name; None for no."""
    if redis.name != FREE or (redis.signed != epoch and "epoch" not in off):
        return None
    return redis._replace(name=Name("claimed", account, epoch))


def confirm_account(redis: Redis, account: int, asked: int, epoch: int, off: Off) -> Redis | None:
    """May the person be told yes, now that Registered stands in the ledger? The account is active at once."""
    name = redis.name
    if name.account != account:
        return None
    if name.state == "claimed" and (epoch == asked or "epoch" in off):
        return redis._replace(name=Name("active", account, 0))
    return redis if name.state == "active" else None


def apply_registered(redis: Redis, record: Record, off: Off) -> Redis:
    """Make the account active, if it is the first of its name, wasn't withdrawn, and its epoch isn't over."""
    mine, active = redis.name.account == record.account, redis.name.state == "active"
    if (active and (mine or "first" not in off)) or (record.account in redis.gone and "gone" not in off):
        return redis
    if record.epoch != redis.signed and "signed" not in off:
        return redis._replace(name=FREE) if mine else redis
    return redis._replace(name=Name("active", record.account, 0))


def apply_account(redis: Redis, record: Record) -> Redis:
    """Withdraw a claim, or delete an account."""
    mine, active = redis.name.account == record.account, redis.name.state == "active"
    if (mine and active) != (record.kind == "Deleted"):
        return redis
    return redis._replace(name=FREE if mine else redis.name, gone=redis.gone | {record.account})


def due_accounts(redis: Redis, off: Off) -> Redis:
    """Mark a claim in doubt, so that confirm can't say yes to it any more; Withdrawn is appended afterwards."""
    return redis if "mark" in off else redis._replace(name=redis.name._replace(state="withdrawing"))


def applied(redis: Redis, record: Record, off: Off) -> Redis:
    """One record's script, effects and position together."""
    if record.kind == "Registered":
        redis = apply_registered(redis, record, off)
    elif record.kind != "Signed":
        redis = apply_account(redis, record)
    elif record.succeeds == redis.signed or "chain" in off:
        redis = redis._replace(signed=record.epoch)
    return redis._replace(position=redis.position + 1)


@lru_cache(maxsize=1 << 20)
def replay(base: Redis, ledger: tuple[Record, ...], off: Off) -> Redis:
    """What the ledger alone says."""
    return applied(replay(base, ledger[:-1], off), ledger[-1], off) if ledger else base


class Registering(NamedTuple):
    """The model for the explorer: how many people want the name, with how many rollbacks and deletions."""

    people: int = 2
    rollbacks: int = 1
    deletions: int = 0
    off: Off = frozenset()
    twice: bool = False
    plain: bool = False

    def start(self) -> World:
        """The name is free."""
        return World(EMPTY, 1, (), frozenset(), (START,) * self.people, (), self.rollbacks, self.deletions, EMPTY)

    def reduced(self, world: World) -> World:
        """See ``reduced`` below."""
        return world if self.plain or self.off & {"gone", "chain"} else reduced(world, self.off)

    def steps(self, world: World) -> Iterator[Step]:
        """Every next step."""
        yield from self._people(world)
        yield from self._ledger(world)
        yield from self._machinery(world)
        yield from self._rollbacks(world)

    def _people(self, world: World) -> Iterator[Step]:
        redis = world.redis
        for i, (at, asked) in enumerate(world.webs):
            if at == "start" and (claimed := claim_account(redis, i, world.epoch, self.off)):
                sent = _send(world, Record("Registered", i, world.epoch))
                yield from _after(f"web: claims for {i}", _web(sent, i, Web("asked", world.epoch)), claimed)
            if at == "recorded" and (yes := confirm_account(redis, i, asked, world.epoch, self.off)):
                yield from _after(f"web: {i} is told yes", _web(world, i, YES), yes)
        if world.deletions and redis.name.state == "active":
            sent = _send(world, Record("Deleted", redis.name.account))
            yield f"web: deletes {redis.name.account}", sent._replace(deletions=world.deletions - 1)

    def _ledger(self, world: World) -> Iterator[Step]:
        for record in sorted(world.flying):
            after = world._replace(ledger=(*world.ledger, record), flying=world.flying - {record})
            if record.kind == "Registered" and world.webs[record.account].at == "asked":
                after = _web(after, record.account, Web("recorded", record.epoch))
            yield f"ledger: {record} arrives", after
            if self.twice and record not in world.ledger:
                yield f"ledger: {record} arrives, not for the last time", after._replace(flying=world.flying)

    def _machinery(self, world: World) -> Iterator[Step]:
        redis, ledger = world.redis, world.ledger
        signing = Record("Signed", NOBODY, world.epoch, redis.signed)
        # what doesn't help is sent again; twice is enough to show it, and without an end there would be no end
        if redis.signed != world.epoch and signing not in world.flying and ledger.count(signing) < 2:
            yield f"worker: sends {signing}", _send(world, signing)
        if redis.position < len(ledger):
            record = ledger[redis.position]
            yield from _after(f"worker: applies {record}", world, applied(redis, record, self.off))
        withdrawn = Record("Withdrawn", redis.name.account)
        doubtful = redis.name.state in ("claimed", "withdrawing") and "sweep" not in self.off
        if doubtful and withdrawn not in world.flying and withdrawn not in ledger[redis.position :]:
            marked = due_accounts(redis, self.off)
            yield from _after(f"sweep: sends {withdrawn}", _send(world, withdrawn), marked)

    def _rollbacks(self, world: World) -> Iterator[Step]:
        if not world.rollbacks:
            return
        new = world._replace(epoch=world.epoch + 1, rollbacks=world.rollbacks - 1)
        for n, redis in enumerate(world.kept):
            yield f"redis: rolls back to {redis}", new._replace(redis=redis, kept=world.kept[:n] + world.kept[n + 1 :])
        if len(world.kept) < world.rollbacks:
            yield "redis: restarts, having lost nothing", new
            yield "redis: comes back empty", new._replace(redis=EMPTY)

    def wrong(self, _before: World, world: World) -> str | None:
        """What somebody suffers in this world, in a sentence, or None."""
        truth = replay(world.base, world.ledger, self.off)
        mine = [i for i, web in enumerate(world.webs) if web == YES and not _is_deleted(world, i)]
        if len(mine) > 1:
            return "the name is two people's"
        for i in mine:
            if truth.name != ("active", i, 0):
                return f"{i} was told yes; the ledger makes the name {truth.name}"
        redis = world.redis
        if redis.position == len(world.ledger):
            if redis.signed == world.epoch and mine and redis.name != truth.name:
                return f"{mine[0]} was told yes; the name is {redis.name}"
            if "active" in (redis.name.state, truth.name.state) and redis.name != truth.name:
                return f"the name is {redis.name}; a replay makes it {truth.name}"
            if (redis.gone, redis.signed) != (truth.gone, truth.signed):
                return f"Redis is {redis}; a replay makes it {truth}"
        return None

    def wrong_at_rest(self, world: World) -> str | None:
        """What is wrong if nothing more happens by itself."""
        if world.redis.signed != world.epoch:
            return "nobody can register: nothing more happens, and it isn't signed"
        return None if world.redis.name.state in ("free", "active") else "the name is lost for ever"

    def rests(self, deeds: list[str]) -> bool:
        """Whether only people or disaster could do something, or a slow registration arrive."""
        optional = ("web:", "redis:", "ledger: Record(kind='Registered'", "ledger: Record(kind='Deleted'")
        return all(deed.startswith(optional) for deed in deeds)


def _is_deleted(world: World, account: int) -> bool:
    deleted = Record("Deleted", account)
    return deleted in world.flying or deleted in world.ledger or account in world.base.gone


def _after(deed: str, world: World, redis: Redis) -> Iterator[Step]:
    after = world._replace(redis=redis)
    yield deed, after
    if redis != world.redis and len(world.kept) < world.rollbacks:
        yield f"{deed} (Redis before is kept)", after._replace(kept=(*world.kept, world.redis))


def _send(world: World, record: Record) -> World:
    return world._replace(flying=world.flying | {record})


def _web(world: World, i: int, web: Web) -> World:
    return world._replace(webs=(*world.webs[:i], web, *world.webs[i + 1 :]))


def reduced(world: World, off: Off) -> World:
    """The one world that stands for all that are like this one; sound with "gone" and "chain" on.

    A record of an account that may never be again, and a Signed behind another, do nothing wherever they come to stand.
    Without rollbacks to come nobody reads twice. Kept states that are the present one can be kept later; people differ
    by their number only.
    """
    stay, before = [], world.base
    for record in world.ledger:
        stay.append(not _is_idle(before, record))
        before = applied(before, record, off)
    moved = (0, *accumulate(stay))
    redis = world.redis._replace(position=moved[world.redis.position])
    kept = {k._replace(position=moved[k.position]) for k in world.kept} - {redis}
    base, ledger = world.base, tuple(compress(world.ledger, stay))
    if not world.rollbacks:
        base = replay(base, ledger[: redis.position], off)._replace(position=0)
        redis, ledger = redis._replace(position=0), ledger[redis.position :]
    flying = frozenset(
        record
        for record in world.flying
        if not _is_idle(before, record) or (record.kind == "Registered" and world.webs[record.account].at == "asked")
    )
    world = world._replace(redis=redis, ledger=ledger, flying=flying, kept=tuple(sorted(kept, key=_key)), base=base)
    return min((_renamed(world, order) for order in permutations(range(len(world.webs)))), key=_key)


def _is_idle(redis: Redis, record: Record) -> bool:
    return record.succeeds != redis.signed if record.kind == "Signed" else record.account in redis.gone


def _renamed(world: World, order: tuple[int, ...]) -> World:
    new = {old: number for number, old in enumerate(order)} | {NOBODY: NOBODY}

    def record(one: Record) -> Record:
        return one._replace(account=new[one.account])

    def redis(one: Redis) -> Redis:
        name = one.name._replace(account=new[one.name.account])
        return one._replace(name=name, gone=frozenset(new[account] for account in one.gone))

    return world._replace(
        redis=redis(world.redis),
        ledger=tuple(map(record, world.ledger)),
        flying=frozenset(map(record, world.flying)),
        webs=tuple(world.webs[old] for old in order),
        kept=tuple(sorted(map(redis, world.kept), key=_key)),
        base=redis(world.base),
    )


def _key(one: object) -> Any:
    if isinstance(one, frozenset):
        return sorted(map(_key, one))
    return tuple(map(_key, one)) if isinstance(one, tuple) else one

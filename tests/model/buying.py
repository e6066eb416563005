"""The purchase protocol as a model for the explorer: what there is, what can happen to it, and what must hold."""

from collections.abc import Iterator
from typing import NamedTuple

from .invariants import harm, unfair, unlike_a_replay, went_back
from .reductions import reduced
from .steps import is_quiet, steps
from .world import MENDING, Size, Step, World, start


class Buying(NamedTuple):
    """Everything that can happen to one sale of a size. ``plain``: without the reductions."""

    size: Size
    plain: bool = False

    def start(self) -> World:
        """See ``world.start``."""
        return start(self.size)

    def steps(self, world: World) -> Iterator[Step]:
        """See ``steps.steps``."""
        return steps(world, self.size)

    def reduced(self, world: World) -> World:
        """See ``reductions.reduced``."""
        return world if self.plain else reduced(world, self.size.off)

    def wrong(self, before: World, world: World) -> str | None:
        """What somebody suffers, or where Redis and a replay of the ledger disagree."""
        cut = self._was_cut(world)
        if self._is_broken():
            return harm(world, cut=cut) or unfair(before, world)
        return (
            unfair(before, world)
            or harm(world, cut=cut)
            or went_back(before, world)
            or unlike_a_replay(world, self.size.off, cut=cut)
        )

    def wrong_at_rest(self, world: World) -> str | None:
        """See ``invariants.harm``."""
        return None if self._is_broken() else harm(world, cut=self._was_cut(world), quiet=True)

    def rests(self, deeds: list[str]) -> bool:
        """See ``steps.is_quiet``."""
        return is_quiet(deeds)

    def _was_cut(self, world: World) -> bool:
        return world.cuts < self.size.cuts

    def _is_broken(self) -> bool:
        """Whether a safeguard is off without which nothing but harm is worth looking for."""
        return bool(self.size.off - MENDING)

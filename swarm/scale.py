"""How large the rehearsal is: the whole of it, or the least that shows that it still works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """``people``, of whom ``behind_one`` share an address, race for ``units`` against so many scripts of each kind.

    Times are in seconds: people come within ``lead`` before the start, ``ahead`` before it the first scripts begin,
    and all is over ``lasts`` after it. A script sends ``rate`` requests a second, over ``addresses`` where it has many,
    with ``accounts`` where it has many. The draw, in the race that has one, takes entries for ``draw`` seconds.
    """

    people: int
    behind_one: int
    units: int
    alone: int
    hydras: int
    farms: int
    patient: int
    sharing: int
    hammers: int
    accounts: int
    addresses: int
    rate: int
    lead: float
    ahead: float
    lasts: float
    draw: int

    @property
    def scripts(self) -> int:
        """How many scripts there are; three use tokens that are no good."""
        return self.alone + self.hydras + self.farms + self.patient + self.sharing + self.hammers + 3


FULL = Scale(
    people=500,
    behind_one=200,
    units=100,
    alone=4,
    hydras=3,
    farms=3,
    patient=3,
    sharing=1,
    hammers=3,
    accounts=20,
    addresses=20,
    rate=40,
    lead=11,
    ahead=10,
    lasts=20,
    draw=10,
)
TINY = Scale(
    people=8,
    behind_one=4,
    units=10,
    alone=1,
    hydras=1,
    farms=1,
    patient=1,
    sharing=1,
    hammers=1,
    accounts=2,
    addresses=2,
    rate=20,
    lead=1.1,
    ahead=1,
    lasts=2.5,
    draw=2,
)

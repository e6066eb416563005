"""An account: a shopper, who may be granted the role of a merchant or an operator."""

from dataclasses import dataclass
from typing import NamedTuple


class Login(NamedTuple):
    """What a token or a session says of itself: its id, and the account's ``era`` in which it began.

    Both are empty for those from before there was this.
    """

    id: str = ""
    era: str = ""


class Seniority(NamedTuple):
    """Since when an account was ``registered`` (0 for long ago) and until when it is on ``probation``, in Unix ms.

    Those are on probation that were registered where many were; 0 for one that never was.
    """

    registered: int = 0
    probation: int = 0


LONG_AGO = Seniority()
"""How old an account counts of which nobody knows when it came."""


@dataclass(frozen=True)
class Profile:
    """What a person tells at registration. ``avatar`` is an http(s) URL."""

    name: str
    age: int
    address: str
    avatar: str

    @property
    def initial(self) -> str:
        """The name's first letter."""
        return self.name[:1].upper()


@dataclass(frozen=True)
class Account:
    """A registered account. ``password`` is an argon2 hash; an ``operator`` may see and change what is others'.

    ``seniority`` tells since when. Logging out everywhere begins a new ``era`` of the account, and
    ends every login of the ones before; ``ended`` are logins of this one that ended before their time, with when they
    would have run out by themselves (Unix ms).
    """

    id: str
    profile: Profile
    password: str
    merchant: bool = False
    operator: bool = False
    seniority: Seniority = LONG_AGO
    era: str = ""
    ended: tuple[tuple[str, int], ...] = ()

    @property
    def name(self) -> str:
        """The account's name, unique in the shop."""
        return self.profile.name

    def admits(self, login: Login) -> bool:
        """Whether a login of this account still counts."""
        return login.era == self.era and all(login.id != ended for ended, _ in self.ended)

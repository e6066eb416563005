"""An account: a shopper, who may be granted the role of a merchant or an operator."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """What a person tells at registration. ``avatar`` is an http(s) URL."""

    name: str
    age: int
    address: str
    avatar: str


@dataclass(frozen=True)
class Account:
    """A registered account. ``password`` is an argon2 hash; an ``operator`` may see and change what is others'.

    ``registered`` is when (Unix ms), 0 for long ago.
    """

    id: str
    profile: Profile
    password: str
    merchant: bool = False
    operator: bool = False
    registered: int = 0

    @property
    def name(self) -> str:
        """The account's name, unique in the shop."""
        return self.profile.name

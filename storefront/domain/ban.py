"""A ban: who is shut out for a while, why, and on what evidence."""

from dataclasses import asdict, dataclass

ACCOUNT, ADDRESS = "account", "address"


@dataclass(frozen=True, slots=True)
class Ban:
    """Who is banned. Times in Unix ms; one whose ``until`` is 0 was lifted.

    ``whom`` is an account's id, or a caller's address or network (``domain.address``), as ``kind`` says; ``name`` is
    how people know them. ``why`` is a limit's name (``LIMITS``) or an operator's own words, ``limit`` that limit as it
    is configured, and ``refused`` how many requests it refused before the ban. ``by`` is the operator, empty for the
    shop itself. ``sale`` is what the last of these requests was to buy of, empty for none.
    """

    whom: str
    kind: str
    name: str
    since: int
    until: int
    why: str = ""
    limit: str = ""
    refused: int = 0
    by: str = ""
    sale: str = ""

    def facts(self) -> dict[str, str]:
        """The ban as a store keeps it."""
        return {name: str(value) for name, value in asdict(self).items()}


def read(facts: dict[str, str]) -> Ban:
    """The ban that ``Ban.facts`` told. Raises KeyError or ValueError for anything else."""
    return Ban(
        whom=facts["whom"],
        kind=facts["kind"],
        name=facts["name"],
        since=int(facts["since"]),
        until=int(facts["until"]),
        why=facts["why"],
        limit=facts["limit"],
        refused=int(facts["refused"]),
        by=facts["by"],
        sale=facts.get("sale", ""),
    )

"""Why a rehearsal can't take place."""


class CannotRehearse(Exception):
    """The message is for a person: what is wrong, and what to do."""

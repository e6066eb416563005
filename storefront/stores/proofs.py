"""Proofs of work that were used, and open tickets, in Redis: each forgotten by itself when it would have run out.

A Redis that loses its last second may take a proof twice. That is no harm to units: they are counted elsewhere.
"""

from storefront.stores import keys
from storefront.stores.memory import Memory


class Proofs:
    """Uses proofs and tickets up, each once."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def spend(self, proof_id: str, seconds: int) -> bool:
        """Use a proof up, and remember that for so many seconds: longer than it is good, by any host's clock.

        Returns whether it wasn't used before.
        """
        return bool(self._memory.redis.set(keys.proof(proof_id), 1, nx=True, ex=seconds))

    def give_back(self, proof_id: str) -> None:
        """A proof may be used after all."""
        self._memory.redis.delete(keys.proof(proof_id))

    def open_ticket(self, purpose: str, ticket: str, seconds: int) -> bool:
        """Open a ticket for so many seconds, unless one is open. Returns whether this one is now."""
        return bool(self._memory.redis.set(keys.ticket(purpose), ticket, nx=True, ex=seconds))

    def ticket(self, purpose: str) -> str | None:
        """The open ticket for a purpose."""
        return self._memory.text(keys.ticket(purpose))

    def spend_ticket(self, purpose: str, ticket: str) -> bool:
        """Use the open ticket up. Returns whether it was this one."""
        return bool(self._memory.scripts.run("spend_ticket", [keys.ticket(purpose)], [ticket]))

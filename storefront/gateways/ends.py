"""Where the ledger ends, for somebody who can't wait for a broker that is away."""

from concurrent.futures import Future
from contextlib import suppress

from storefront.domain.errors import LedgerDown
from storefront.gateways.aside import Aside
from storefront.gateways.ledger import Ledger, Reader

Ends = dict[tuple[str, int], int]


class LedgerEnds:
    """Asks a ledger, one question at a time, over a connection that is kept."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reader: Reader | None = None
        self._aside: Aside[Ends] = Aside("ledger-ends")

    def ask(self) -> Future[Ends]:
        """What will hold the offset that the next record of each partition will have, or LedgerDown."""
        return self._aside.ask(self._ask)

    def look(self, timeout: float) -> Ends | None:
        """The same; None if no answer came within ``timeout`` seconds."""
        with suppress(LedgerDown, TimeoutError):
            return self.ask().result(timeout)
        return None

    def _ask(self) -> Ends:
        try:
            if self._reader is None:
                self._reader = self._ledger.reader()
            return self._reader.ends(self._ledger.partitions)
        except LedgerDown:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

"""Where the ledger ends, for somebody who can't wait: a thread of its own asks, whose silence holds nobody up."""

import threading
from concurrent.futures import Future

from storefront.domain.errors import LedgerDown
from storefront.gateways.ledger import Ledger, Reader

Ends = dict[tuple[str, int], int]


class LedgerEnds:
    """Asks a ledger, one question at a time, over a connection that is kept."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reader: Reader | None = None
        self._asking = threading.Lock()
        self._answer: Future[Ends] | None = None

    def look(self, timeout: float) -> Ends | None:
        """The offset that the next record of each partition will have; None if no answer came within ``timeout``."""
        with self._asking:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                threading.Thread(target=self._ask, args=[self._answer], name="ledger-ends", daemon=True).start()
            answer = self._answer
        try:
            return answer.result(timeout)
        except (LedgerDown, TimeoutError):
            return None

    def _ask(self, answer: Future[Ends]) -> None:
        try:
            if self._reader is None:
                self._reader = self._ledger.reader()
            answer.set_result(self._reader.ends(self._ledger.partitions))
        except LedgerDown as fault:
            self.close()
            answer.set_exception(fault)
        except BaseException as fault:
            answer.set_exception(fault)
            raise

    def close(self) -> None:
        """Let go of the connection."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

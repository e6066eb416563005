"""Company for purchases: those that are made while something is under way in front of them go on together."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from storefront.domain.records import Requested
from storefront.gateways.together import Together
from storefront.shop import Shop
from tests.conftest import eventually

PATIENCE = 60.0


class Companies(Together[Any, Any]):
    """Where purchases meet, and who went on with whom."""

    def __init__(self, patience: float) -> None:
        super().__init__(patience)
        self.seen: list[list[Requested]] = []

    def waiting(self) -> int:
        """How many wait for whoever is at work."""
        return len(self._waiting)

    def share(self, asked: Any, work: Callable[[list[Any]], Any]) -> Any:
        """See ``Together``."""

        def noted(company: list[Requested]) -> Any:
            self.seen.append(company)
            return work(company)

        return super().share(asked, noted)


@contextmanager
def held_up(shop: Shop, pool: ThreadPoolExecutor, patience: float = PATIENCE) -> Iterator[Companies]:
    """As long as the block lasts, purchases wait behind somebody; when it ends, all who wait go on together."""
    before, companies = shop.requests, Companies(patience)
    let_go = threading.Event()

    def block(_: list[Any]) -> list[bool]:
        assert let_go.wait(PATIENCE)
        return [True]

    in_front = pool.submit(super(Companies, companies).share, None, block)
    eventually(lambda: companies._under_way and not companies._waiting)
    shop.requests = companies
    try:
        yield companies
    finally:
        let_go.set()
        in_front.result(PATIENCE)
        shop.requests = before

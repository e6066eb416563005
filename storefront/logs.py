"""How the shop's processes log: lines for people, or JSON objects for whatever collects them (``STOREFRONT_LOG``).

Either tells the id of the request that a line is about (``domain/trace.py``). Beside what the modules log by
themselves, ``trail`` tells where each request led: a line where it was answered, and one where its record was applied.
People who watch a terminal are spared that one.
"""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from storefront.domain import trace

TEXT, JSON = "text", "json"

trail = logging.getLogger("storefront.trail")
announcements = logging.getLogger("storefront.announcements")
"""That a process is ready, or what it waits for. As text a line begins with just that."""


def configure(form: str) -> None:
    """Log everything in one ``form``, TEXT or JSON, from now on; granian's own lines of this process too."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    spare()
    if form == JSON:
        root.handlers[:] = [_for_machines()]
        logging.getLogger("_granian").handlers[:] = root.handlers
    else:
        root.handlers[:] = [_for_people()]
        bare = logging.StreamHandler(sys.stdout)
        announcements.handlers[:], announcements.propagate = [bare], False
        trail.setLevel(logging.WARNING)


def spare() -> None:
    """Leave out what Kafka's client logs: what matters of it, the shop says in a sentence of its own.

    And Stripe's library's lines about every call, but for its warnings.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    logging.getLogger("stripe").setLevel(logging.WARNING)


def _for_machines() -> logging.Handler:
    handler = logging.StreamHandler(sys.stdout)
    names = {"levelname": "level", "name": "logger"}
    fields = "%(message)s %(levelname)s %(name)s %(process)d"
    handler.setFormatter(JsonFormatter(fields, rename_fields=names, timestamp="time", json_ensure_ascii=False))

    def tell(record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id") and (request_id := trace.current()):
            record.request_id = request_id
        return True

    handler.addFilter(tell)
    return handler


def _for_people() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s%(about)s"))

    def tell(record: logging.LogRecord) -> bool:
        request_id = getattr(record, "request_id", "") or trace.current()
        record.about = f" [{request_id}]" if request_id else ""
        return True

    handler.addFilter(tell)
    return handler

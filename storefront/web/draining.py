"""How a web process ends without losing a request: it takes leave before the server lets go of its connections.

Granian, asked to end, closes whatever connection is idle at that moment and drops those that nobody has taken up yet: a
request that is on its way there gets no answer. So SIGTERM is held back for a while. First every answer says that it is
its connection's last, so that none is idle in the end; then the process takes no more connections, once it has taken
all that wait; and only then granian is told.
"""

import logging
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

LEAVE = 2.0
"""Seconds at most in which answers close their connections; it is over when there are none. A client, or proxy, that
keeps one idle for longer must expect that it is closed when it uses it again; nginx keeps none for as long
(``keepalive_timeout`` in deploy/nginx)."""

MOST_WAITING = 2.0
"""Seconds to wait at most for a moment without connections that wait to be taken."""

TAKEN = 0.3
"""Seconds at most for the requests of the last connections to be read."""

POLL = 0.02


SOCKETS = Path("/proc/self/fd")
"""Where the system lists what this process has open. Where there is no such place, processes end as granian has it."""


def on_sigterm(app: Flask) -> None:
    """Have this process take leave when it is asked to end. To be called in the main thread, before others begin.

    The signal is blocked in all threads but by one that waits for it, which then calls what granian has set for it.
    """
    if SOCKETS.is_dir():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_wait, args=[app], name="draining", daemon=True).start()


def _wait(app: Flask) -> None:
    signal.sigwait({signal.SIGTERM})
    log.info("taking leave")
    listeners = _listeners()
    if not listeners:  # granian isn't up yet: nobody is served, and it wouldn't listen to us
        os._exit(0)
    try:
        _take_leave(app)
        places = {_place(listener) for listener in listeners.values()}
        _wait_for_the_last(places, LEAVE)
        for number, listener in listeners.items():
            _stop_listening(number, listener)
        _wait_for_the_last(places, TAKEN)
    finally:
        handler: Any = signal.getsignal(signal.SIGTERM)
        handler(signal.SIGTERM, None)


def _take_leave(app: Flask) -> None:
    """From now on each answer is its connection's last."""
    through = app.wsgi_app

    def closing(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")], *more)

        return through(environ, start)

    app.wsgi_app = closing  # type: ignore[method-assign]


def _sockets() -> Iterator[tuple[int, socket.socket]]:
    """The sockets of this process with their numbers, each as one that is to be closed."""
    for entry in SOCKETS.iterdir():
        with suppress(OSError):  # it was closed meanwhile
            if str(entry.readlink()).startswith("socket:"):
                yield int(entry.name), socket.socket(fileno=os.dup(int(entry.name)))


def _listeners() -> dict[int, socket.socket]:
    """The sockets on which this process takes connections, by their numbers."""
    found = {}
    for number, one in _sockets():
        if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            found[number] = one
        else:
            one.close()
    return found


def _place(one: socket.socket) -> int | str:
    """Where a listening socket, and the connections that came by it, are: a port, or a file's name."""
    name = one.getsockname()
    return name[1] if isinstance(name, tuple) else name  # type: ignore[no-any-return]


def _wait_for_the_last(places: set[int | str], most: float) -> None:
    """Wait until nobody is connected there, ``most`` seconds at most."""
    deadline = time.monotonic() + most
    while _connected(places) and time.monotonic() < deadline:
        time.sleep(POLL)


def _connected(places: set[int | str]) -> bool:
    found = False
    for _, one in _sockets():
        with one, suppress(OSError):  # a listening one has no peer
            one.getpeername()
            found = found or _place(one) in places
    return found


def _stop_listening(number: int, listener: socket.socket) -> None:
    """Take no more connections, at a moment when none waits: those would be dropped.

    Granian goes on asking that number for connections, and what stands there now never has one: on a socket that is
    merely shut down it would ask without a pause.
    """
    deadline = time.monotonic() + MOST_WAITING
    with socket.socket(socket.AF_UNIX) as silent, listener:
        silent.bind("")  # a name that the system chooses, and nobody knows
        silent.listen(1)
        silent.settimeout(0)
        while _waiting(listener) and time.monotonic() < deadline:
            time.sleep(0.0005)
        os.dup2(silent.fileno(), number)


def _waiting(listener: socket.socket) -> int:
    """How many connections wait to be taken: what the kernel tells of a listening socket as ``tcpi_unacked``."""
    if listener.family == socket.AF_UNIX:  # the kernel doesn't tell; nginx's connections are taken at once
        return 0
    told = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return int(struct.unpack_from("=I", told, 24)[0])

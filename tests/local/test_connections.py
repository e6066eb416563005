"""The web takes far more connections than it has threads: browsers keep theirs open."""

import socket
from contextlib import ExitStack

from storefront.local.shop import LocalShop

MANY = 1500


def test_a_shopper_is_answered_while_many_others_keep_their_connections(real_shop: LocalShop) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"
    with ExitStack() as stack:
        kept = [stack.enter_context(socket.create_connection((real_shop.host, real_shop.port))) for _ in range(MANY)]
        for connection in kept:
            connection.settimeout(30)
            connection.sendall(asked)
        assert all(connection.recv(4096).startswith(b"HTTP/1.1 200") for connection in kept)

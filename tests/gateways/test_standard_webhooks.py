"""Webhooks are signed as the specification's own example is."""

import base64

import pytest

from storefront.gateways.standard_webhooks import signed, verified

SECRET = base64.b64decode("plJ3nmyCDGBKInavdOK15jsl")
BODY = b'{"event_type":"ping","data":{"success":true}}'
MESSAGE, SENT = "msg_loFOjxBNrRLzqYUf", 1731705121


def test_the_example_of_the_specification_is_signed_and_verified() -> None:
    headers = signed(SECRET, MESSAGE, SENT, BODY)
    assert headers["webhook-signature"] == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
    assert verified(SECRET, headers, BODY, SENT + 300) == MESSAGE


@pytest.mark.parametrize(("body", "now"), [(BODY + b" ", SENT), (BODY, SENT + 301), (BODY, SENT - 301)])
def test_another_body_or_another_time_is_refused(body: bytes, now: int) -> None:
    with pytest.raises(ValueError, match=r"its signature is wrong|it was signed"):
        verified(SECRET, signed(SECRET, MESSAGE, SENT, BODY), body, now)

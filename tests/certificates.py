"""A certificate for loopback that signs itself, made by openssl, for tests of what comes over TLS."""

import shutil
import subprocess
from pathlib import Path

import pytest


def make(folder: Path) -> Path:
    """A PEM file that holds the certificate and its key; who trusts the file trusts the certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_text(key.read_text() + certificate.read_text())
    return both

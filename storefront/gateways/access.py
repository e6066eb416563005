"""How the clients of Kafka get in: encrypted or not, and as whom. Nothing of it is needed on a network of one's own."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Access:
    """What Kafka calls the security protocol, and what goes with it; the default is neither TLS nor a user.

    ``cafile`` names the certificates, in PEM, of whoever signs the brokers'; empty for those that the system trusts.
    """

    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    username: str = ""
    password: str = ""
    cafile: str = ""

    def options(self) -> dict[str, Any]:
        """The same as every client of kafka-python takes it."""
        found: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol.endswith("SSL"):
            found["ssl_cafile"] = self.cafile or None
        if self.protocol.startswith("SASL"):
            found |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return found


OPEN = Access()

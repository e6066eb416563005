"""The web door: `granian --interface wsgi wsgi:app`. Its settings come from the environment (docs/operations.md)."""

import logging
import sys

from storefront import create_app
from storefront.config import BadConfig, from_environment

logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it, the shop says in a sentence of its own

try:
    app = create_app(from_environment())
except BadConfig as fault:
    sys.exit(f"The shop does not start: {fault}")

"""The web door: `granian --interface wsgi wsgi:app`. Its settings come from the environment (docs/operations.md)."""

import sys

from storefront import create_app
from storefront.config import BadConfig, from_environment

try:
    app = create_app(from_environment())
except BadConfig as fault:
    sys.exit(f"The shop does not start: {fault}")

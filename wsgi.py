"""The web door: `granian --interface wsgi wsgi:app`. Its settings come from the environment (docs/operations.md)."""

import gc
import logging
import os
import sys
import threading

from storefront import create_app
from storefront.config import BadConfig, from_environment
from storefront.services import warming
from storefront.web import pinning

logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it, the shop says in a sentence of its own

try:
    app = create_app(from_environment())
except BadConfig as fault:
    sys.exit(f"The shop does not start: {fault}")

if "FLASK_RUN_FROM_CLI" in os.environ:  # the shop's commands sell nothing
    from storefront.rehearsal import command  # starts processes, which no web process needs to know how to do

    command.init_app(app)
else:
    shop = app.extensions["shop"]
    if shop.config.pin:
        pinning.pin()
    # What is there now stays; and what comes makes few cycles, so that looking for them can wait.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # In a thread: a web process whose Redis or broker is away starts all the same.
    threading.Thread(target=warming.warm, args=[shop], name="warming", daemon=True).start()

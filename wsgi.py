"""The web door: `granian --interface wsgi wsgi:app`. Its settings come from the environment (docs/operations.md)."""

import gc
import os
import sys
import threading

from storefront import create_app, logs
from storefront.config import BadConfig, from_environment
from storefront.services import warming
from storefront.web import draining, pinning, sandbox

is_command = "FLASK_RUN_FROM_CLI" in os.environ

try:
    config = from_environment()
    if is_command:
        logs.spare()
    else:
        logs.configure(config.log)
    app = create_app(config)
except BadConfig as fault:
    sys.exit(f"The shop does not start: {fault}")

if is_command:  # the shop's commands sell nothing
    from storefront.rehearsal import command  # starts processes, which no web process needs to know how to do

    command.init_app(app)
else:
    shop = app.extensions["shop"]
    if shop.config.pin:
        pinning.pin()
    draining.on_sigterm(app)
    sandbox.warn_of_no_money(shop.config)
    for page in ("base.html", "_parts.html", "_proof.html", "sale.html", "order.html"):
        app.jinja_env.get_template(page)  # else the first buyers of all would wait for it to be compiled
    # What is there now stays; and what comes makes few cycles, so that looking for them can wait.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # In a thread: a web process whose Redis or broker is away starts all the same.
    threading.Thread(target=warming.warm, args=[shop], name="warming", daemon=True).start()

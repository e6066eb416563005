"""Schemathesis against a running shop: calls that its description allows, calls that it forbids, and chains of calls.

``python -m tests.api`` runs it by hand, on a shop of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storefront.domain.account import Account, Profile
from storefront.domain.sale import Terms
from storefront.local.shop import LocalShop
from storefront.services import accounts, buying, paying, selling
from storefront.shop import Shop

ROOT = Path(__file__).parents[2]
SALES = 12
"""Live sales that there are to begin with; some will be cancelled."""


@dataclass(frozen=True)
class Stage:
    """Who calls (name → token), and what there is to be called for: chance alone would hit upon none of it."""

    tokens: dict[str, str]
    products: list[str]
    sales: list[str]
    orders: list[str]


def staged(shop: Shop) -> Stage:
    """A merchant with sales, an operator, and a shopper; all three have orders, which none but themselves may see."""
    people = {name: _account(shop, name) for name in ("merchant", "operator", "shopper")}
    accounts.grant_merchant(shop, "merchant")
    accounts.grant_operator(shop, "operator")
    merchant = people["merchant"]
    now = shop.memory.now_ms() // 1000
    live = [_sale(shop, merchant, f"手机/{number}", 1000, now - 60, now + 3600) for number in range(SALES)]
    others = [
        _sale(shop, merchant, "upcoming", 5, now + 3000, now + 3600),
        _sale(shop, merchant, "ended", 5, now - 3600, now - 60),
        _sale(shop, merchant, "all held", 1, now - 60, now + 3600),
    ]
    buying.buy(shop, people["shopper"], "all held")
    orders = [_order(shop, person, product) for person in people.values() for product, _ in live[:4]]
    for person, paid, cancelled in zip(people.values(), orders[::4], orders[1::4], strict=True):
        paying.pay(shop, person, paid)
        paying.cancel(shop, person, cancelled)
    names, numbers = zip(*live, *others, strict=True)
    tokens = {name: accounts.token_for(shop, account) for name, account in people.items()}
    return Stage(tokens, list(names), list(numbers), orders)


def _account(shop: Shop, name: str) -> Account:
    return accounts.register(shop, Profile(name, 20, "北京市海淀区", "http://example.com/avatar.jpg"), "secret123")


def _order(shop: Shop, shopper: Account, product: str) -> str:
    order = buying.buy(shop, shopper, product).order
    buying.placed_order_of(shop, shopper, order)
    return order


def _sale(shop: Shop, merchant: Account, product: str, num: int, begins: int, ends: int) -> tuple[str, str]:
    terms = Terms(product, num, "Apple", begins, ends, price=1000, limit=min(num, 100))
    return product, selling.open_sale(shop, merchant, terms).sale.id


def settings(stage: Stage, folder: Path, examples: int) -> Path:
    """The tool's own settings, as a file."""
    who = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}
        for name, token in stage.tokens.items()
    ]
    (folder / "who.json").write_text(json.dumps({"auth": who}))
    made = folder / "schemathesis.toml"
    made.write_text(f"""
max-failures = 20
request-timeout = 30
warnings = false

[headers]
Accept = "application/json"

[auth.wfc]
path = {json.dumps(str(folder / "who.json"))}
peers = ["merchant", "shopper"]

[dictionaries]
products.values = {json.dumps(stage.products, ensure_ascii=False)}
sales.values = {json.dumps(stage.sales)}
orders.values = {json.dumps(stage.orders)}

[checks.positive_data_acceptance]  # 422: another request had this key, which chance likes to be short
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx"]

[parameters]
"path.product" = {{ dictionary = "products", probability = 0.8 }}
"path.sale_id" = {{ dictionary = "sales", probability = 0.8 }}
"path.order_id" = {{ dictionary = "orders", probability = 0.8 }}

[generation]
max-examples = {examples}

[phases.stateful]
max-steps = 8
inference.algorithms = []  # the description's own links are meant
link-calibration = false

[phases.stateful.generation]
max-examples = {examples}
mode = "positive"  # what is wrong leads nowhere
""")
    return made


def run(
    shop: LocalShop, stage: Stage, folder: Path, *, examples: int, seed: int, more: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    """What Schemathesis says of the shop, with all of its checks; its exit status is 0 where it finds nothing.

    ``examples`` bounds the calls of each operation, and the chains of calls.
    """
    program = Path(sys.executable).with_name("schemathesis")
    return subprocess.run(
        [
            str(program), "--config-file", str(settings(stage, folder, examples)), "--no-color",
            "run", f"{shop.url}/openapi.json", "--checks", "all", "--seed", str(seed), "--continue-on-failure", *more,
        ],
        cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.api.hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

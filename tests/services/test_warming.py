"""What is ready before the first purchase, and that nothing depends on it."""

from dataclasses import replace

from storefront.config import Config
from storefront.services import warming
from storefront.shop import Shop

NOWHERE = "127.0.0.1:9"


def test_the_first_purchase_finds_connections_and_scripts(config: Config) -> None:
    shop = Shop(config)
    try:
        warming.warm(shop)
        assert shop.ledger._producer is not None
        assert len(shop.memory.redis.connection_pool._available_connections) == warming.CONNECTIONS
        known = shop.memory.redis.script_exists(*(shop.memory.scripts._script(name).sha for name in warming.SCRIPTS))
        assert known == [True] * len(warming.SCRIPTS)
    finally:
        shop.close()


def test_what_is_away_is_left_for_later(config: Config) -> None:
    for away in (replace(config, redis_url=f"redis://{NOWHERE}/0"), replace(config, kafka=NOWHERE, send_timeout=0.1)):
        shop = Shop(away)
        warming.warm(shop)
        shop.ledger.require()  # it wasn't known to be down before anybody needed it
        shop.close()

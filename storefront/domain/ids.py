"""Identifiers. A product's tag begins the ids of its sales and orders, so an id alone tells which keys belong to it.

The tag is a Redis Cluster hash tag and the Kafka key: everything about one product stays on one shard and in one
partition, in order. Two products that share a tag merely share those.
"""

import hashlib
import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
TAG_LENGTH = 6


def _letters(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(length))


def _random(length: int) -> str:
    return _letters(secrets.randbits(5 * length), length)


def tag_of_product(product: str) -> str:
    """The tag of a product, from its name."""
    return _letters(int.from_bytes(hashlib.sha256(product.encode()).digest()[:8]), TAG_LENGTH)


def tag_of(some_id: str) -> str:
    """The tag that begins a sale's or an order's id."""
    return some_id[:TAG_LENGTH]


def new_sale_id(product: str) -> str:
    """A new sale's id."""
    return tag_of_product(product) + _random(8)


def repeatable_sale_id(product: str, merchant: str, key: str) -> str:
    """The id that the sale which one merchant opens under one idempotency key always has."""
    digest = hashlib.sha256(f"{product}\x1f{merchant}\x1f{key}".encode()).digest()
    return tag_of_product(product) + _letters(int.from_bytes(digest[:16]), 8)


def new_order_id(sale_id: str) -> str:
    """A new order's id: 70 random bits behind the tag, not to be guessed."""
    return tag_of(sale_id) + _random(14)


def repeatable_order_id(sale_id: str, shopper: str, key: str) -> str:
    """The order id that one shopper's purchase under one idempotency key always has."""
    digest = hashlib.sha256(f"{sale_id}\x1f{shopper}\x1f{key}".encode()).digest()
    return tag_of(sale_id) + _letters(int.from_bytes(digest[:16]), 14)


def new_account_id() -> str:
    """A new account's id. A name that is deleted and registered again gets another."""
    return _random(16)


def new_record_id() -> str:
    """A new ledger record's id."""
    return _random(16)


def is_sale_id(text: str) -> bool:
    """Whether ``text`` has the form of a sale's id."""
    return len(text) == TAG_LENGTH + 8 and all(char in _ALPHABET for char in text)


def is_order_id(text: str) -> bool:
    """Whether ``text`` has the form of an order id."""
    return len(text) == TAG_LENGTH + 14 and all(char in _ALPHABET for char in text)

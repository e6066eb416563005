"""The operator's command line: `flask --app wsgi merchant grant NAME`, and the like."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from redis.exceptions import RedisError

from storefront.domain.errors import LedgerDown, Refused
from storefront.services import accounts, auditing

merchant = AppGroup("merchant", help="Who may open sales.")
account = AppGroup("account", help="Accounts.")


def _done(change: Any, name: str, sentence: str) -> None:
    with _sentences():
        change(current_app.extensions["shop"], name)
    click.echo(sentence)


@contextmanager
def _sentences() -> Iterator[None]:
    """Faults as one sentence each, with exit status 1."""
    try:
        yield
    except LedgerDown as fault:
        raise click.ClickException("Kafka does not answer (STOREFRONT_KAFKA).") from fault
    except RedisError as fault:
        raise click.ClickException(f"Redis does not answer (STOREFRONT_REDIS_URL): {fault}") from fault
    except Refused as refusal:
        raise click.ClickException(refusal.sentence % refusal.facts) from refusal
    except UnicodeError as fault:
        raise click.ClickException("This name is not text in UTF-8.") from fault


@merchant.command("grant")
@click.argument("name")
def grant(name: str) -> None:
    """Let the account NAME open sales."""
    _done(accounts.grant_merchant, name, f"{name} is a merchant now.")


@merchant.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """No longer let the account NAME open sales. Sales it has opened go on."""
    _done(accounts.revoke_merchant, name, f"{name} is no merchant any more.")


@account.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Delete the account NAME. Its tokens and sessions end at once."""
    _done(accounts.delete, name, f"The account {name} is deleted.")


@click.command("audit")
@click.argument("product", required=False)
@with_appcontext
def audit(product: str | None) -> None:
    """Compare Redis with the ledger, for every sale or that of PRODUCT. Exit status 1 if something doesn't add up."""
    shop = current_app.extensions["shop"]
    with click.progressbar(length=1, label="reading the ledger", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(1, total)
            bar.update(done - bar.pos)

        with _sentences():
            findings = auditing.audit(shop, progress)
    shown = [found for found in findings if product is None or found.sale.product == product]
    if product is not None and not shown:
        raise click.ClickException(f"There is no sale of “{product}”.")
    for found in sorted(shown, key=lambda found: found.sale.terms.begins):
        units = found.sale.units
        click.echo(
            f"{'differs' if found.differences else 'adds up'}  {found.sale.id}  left {units.left} + reserved "
            f"{units.reserved} + unpaid {units.unpaid} + paid {units.paid} = {units.total} of {found.sale.terms.num}  "
            f"{found.sale.product}"
        )
        for difference in found.differences:
            click.echo(f"    {difference}")
    differing = sum(bool(found.differences) for found in shown)
    click.echo(f"{len(shown)} sales, {differing} of them differ.")
    sys.exit(1 if differing else 0)


def init_app(app: Flask) -> None:
    """Give ``app`` its commands."""
    app.cli.add_command(merchant)
    app.cli.add_command(account)
    app.cli.add_command(audit)

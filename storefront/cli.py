"""The operator's command line: `flask --app wsgi merchant grant NAME`, and the like."""

from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from storefront.domain.errors import Refused
from storefront.services import accounts

merchant = AppGroup("merchant", help="Who may open sales.")
account = AppGroup("account", help="Accounts.")


def _done(change: Any, name: str, sentence: str) -> None:
    try:
        change(current_app.extensions["shop"], name)
    except Refused as refusal:
        raise click.ClickException(refusal.sentence % refusal.facts) from refusal
    click.echo(sentence)


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


def init_app(app: Flask) -> None:
    """Give ``app`` its commands."""
    app.cli.add_command(merchant)
    app.cli.add_command(account)

"""The operator's command line: `flask --app wsgi merchant grant NAME`, and the like."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from redis.exceptions import RedisError

from storefront.domain.errors import LedgerDown, Overloaded, Refused
from storefront.services import accounts, auditing, banning, rebuilding
from storefront.services.applying import LedgerCut


class CannotTell(click.ClickException):
    """An audit that could not be made."""

    exit_code = 2


merchant = AppGroup("merchant", help="Who may open sales.")
operator = AppGroup("operator", help="Who may see and change what is others'.")
bans = AppGroup("bans", help="Who is banned.")
account = AppGroup("account", help="Accounts.")


def _done(change: Any, name: str, sentence: str) -> None:
    with _sentences():
        change(current_app.extensions["shop"], name)
    click.echo(sentence)


@contextmanager
def _sentences(failure: type[click.ClickException] = click.ClickException) -> Iterator[None]:
    """Faults as one sentence each, with the exit status of ``failure``."""
    try:
        yield
    except LedgerDown as fault:
        raise failure("Kafka does not answer (STOREFRONT_KAFKA).") from fault
    except LedgerCut as cut:
        raise failure(
            f"The ledger no longer holds what Redis applied last ({cut}); an order worker mends that: "
            "python worker.py orders"
        ) from cut
    except RedisError as fault:
        raise failure(f"Redis does not answer (STOREFRONT_REDIS_URL): {fault}") from fault
    except Overloaded as fault:
        raise failure("The order worker does not keep up, or none runs (python worker.py orders).") from fault
    except Refused as refusal:
        raise failure(refusal.sentence % refusal.facts) from refusal
    except UnicodeError as fault:
        raise failure("This name is not text in UTF-8.") from fault


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


@operator.command("grant")
@click.argument("name")
def grant_operator(name: str) -> None:
    """Make the account NAME an operator."""
    _done(accounts.grant_operator, name, f"{name} is an operator now.")


@operator.command("revoke")
@click.argument("name")
def revoke_operator(name: str) -> None:
    """The account NAME is no operator any more."""
    _done(accounts.revoke_operator, name, f"{name} is no operator any more.")


@bans.command("list")
def list_bans() -> None:
    """Who is banned, until when (UTC), and why."""
    with _sentences():
        found = banning.listed(current_app.extensions["shop"])
    for one in found:
        evidence = f"by {one.by}: {one.why}" if one.by else f"{one.refused} requests over {one.limit} at {one.why}"
        click.echo(f"{_moment(one.since)}  until {_moment(one.until)}  {one.kind} {one.name}  {evidence}")
    click.echo(f"{len(found)} bans.", err=True)


@bans.command("lift")
@click.argument("whom")
def lift(whom: str) -> None:
    """Lift the ban on WHOM (a name, an address or a network, as listed). A new offence brings a new ban."""
    with _sentences():
        lifted = banning.lift(current_app.extensions["shop"], whom)
        current_app.extensions["police"].forgive(lifted.whom)
    click.echo(f"The ban on {lifted.name} is lifted.")


@bans.command("add")
@click.argument("whom")
@click.option("--minutes", default=60, show_default=True, type=click.IntRange(1, 31 * 24 * 60), help="For how long.")
@click.option("--why", required=True, help="What they are told.")
def add(whom: str, minutes: int, why: str) -> None:
    """Ban WHOM: an account's name, an address, or a network such as 192.0.2.0/24."""
    with _sentences():
        made = banning.ban(current_app.extensions["shop"], whom, minutes, why, "the command line")
    click.echo(f"The {made.kind} {made.name} is banned until {_moment(made.until)}.")


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@account.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Delete the account NAME. Its tokens and sessions end at once."""
    _done(accounts.delete, name, f"The account {name} is deleted.")


@account.command("log-out")
@click.argument("name")
def log_out(name: str) -> None:
    """End every token and session of the account NAME. Whoever knows its password may log in again."""
    _done(accounts.log_out_everywhere, name, f"{name} is logged out everywhere.")


@click.command("audit")
@click.argument("sale", required=False)
@with_appcontext
def audit(sale: str | None) -> None:
    """Compare Redis with the ledger: every sale, or the one with the id SALE, or all of a product named SALE.

    Exit status 0 if everything adds up, 1 if something differs, 2 if that can't be told now.
    """
    with _bars() as progress, _sentences(CannotTell):
        report = auditing.audit(current_app.extensions["shop"], sale, progress)
    if sale is not None and not report.findings:
        raise CannotTell(f"There is no sale of “{sale}”, and none with that id.")
    for found in report.findings:
        click.echo(f"{'DIFFERS' if found.differences else 'adds up'}  {found.sale}  {_sum(found)}  {found.product}")
        for difference in found.differences:
            click.echo(f"    {difference}")
    for sentence in report.strays:
        click.echo(f"DIFFERS  {sentence}")
    orders = sum(found.orders for found in report.findings)
    strays = f", {len(report.strays)} orders belong to no sale" if report.strays else ""
    click.echo(f"{len(report.findings)} sales with {orders} orders; {report.differing} sales differ{strays}.")
    sys.exit(0 if report.adds_up else 1)


@click.command("rebuild")
@with_appcontext
def rebuild() -> None:
    """Restore a Redis that is empty, or behind, from the ledger, and open the shop. Order workers may run or not."""
    with _bars() as progress, _sentences():
        lacking = rebuilding.rebuild(
            current_app.extensions["shop"], lambda done, total: progress("applying the ledger", done, total)
        )
    click.echo(
        f"Redis is whole: {lacking} records were applied, and the shop is open."
        if lacking
        else "Redis holds everything that the ledger says; the shop is open."
    )


def _sum(found: auditing.Finding) -> str:
    if found.units is None:
        return "(not in Redis)"
    units = found.units
    return (
        f"stock {units.left} + reserved {units.reserved} + pending {units.unpaid} + paid {units.paid} = {units.total} "
        f"of num {found.num}"
    )


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr for each thing that is being done, one after the other."""
    with ExitStack() as open_bar:
        bars: dict[str, Any] = {}

        def progress(doing: str, done: int, total: int) -> None:
            if doing not in bars:
                open_bar.close()
                bars[doing] = open_bar.enter_context(
                    click.progressbar(length=max(1, total), label=doing, show_pos=True, file=sys.stderr)
                )
            bars[doing].length = max(1, total)
            bars[doing].update(done - bars[doing].pos)

        yield progress


def init_app(app: Flask) -> None:
    """Give ``app`` its commands."""
    app.cli.add_command(merchant)
    app.cli.add_command(account)
    app.cli.add_command(operator)
    app.cli.add_command(bans)
    app.cli.add_command(audit)
    app.cli.add_command(rebuild)

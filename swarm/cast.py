"""Who takes part: so many people and scripts of each kind, each with accounts and addresses of its own."""

import math
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from itertools import count, islice

from flask import Flask

from bench import seeding
from bench.load import CannotMeasure
from bench.stage import Server, Stage
from storefront import create_app
from storefront.domain.account import Account
from storefront.local.demo.client import Client, Unplayable, loopback_address
from storefront.local.demo.venue import enter
from storefront.services import accounts, tokens
from storefront.web import who
from swarm.client import AGENT
from swarm.plan import Hand, Kind, Person, Script
from swarm.scale import Scale

MEDIAN, SPREAD = 1.2, 0.4
"""Seconds from the start to a person's press, log-normal: half of them within 1.2 s, nine of ten within 2 s."""

REFETCH = (1.0, 5.2)
"""Seconds after the start within which a page's script asks for its page again; its button is ready before."""

AGE = 24 * 3600
"""Seconds that a guarded sale's accounts must be old. The farms' are made just before it, all others in time."""

EARLY = 0.05
"""The part of the people who press too early as well."""

FOREIGN = "of another shop, which signs its own tokens"


class Timing(StrEnum):
    """When scripts begin: at the very start, or when a person would.

    Or at the start of a sale that takes no accounts that were made for it, or that draws its units by lot.
    """

    AT_START = "at-start"
    GUARDED = "guarded"
    BY_LOT = "by-lot"
    AS_PEOPLE = "as-people"


class Cast:
    """Makes the people and scripts for a race on a running shop. ``accounts`` is the kind of each account, by name."""

    def __init__(self, stage: Stage, server: Server, scale: Scale, timing: Timing, seed: int) -> None:
        self._stage, self._server, self._scale, self._timing = stage, server, scale, timing
        self._config = stage.inside.config
        self._chance = random.Random(seed)
        self._addresses = (loopback_address(number) for number in count())
        self.accounts: dict[str, Kind] = {}
        self.worthless: set[str] = set()
        self._strangers = self._seeded()

    def _seeded(self) -> Iterator[Account]:
        scale = self._scale
        scripts = scale.alone + scale.hydras + scale.hammers + scale.sharing + 3 + scale.patient * scale.accounts
        found = list(seeding.people(self._stage.inside, scale.people + scripts))
        seeding.register(self._stage, found, ago=2 * AGE)  # before any sale of today was known
        return iter(found)

    def people(self) -> tuple[Person, ...]:
        """The people: every second one with a browser; a part of them in one place, behind one address."""
        together = next(self._addresses)
        app = create_app(self._config)
        try:
            return tuple(self._person(app, number, together) for number in range(self._scale.people))
        finally:
            app.extensions["shop"].close()

    def _person(self, app: Flask, number: int, together: str) -> Person:
        has_browser, is_together = number % 2 == 0, number < self._scale.behind_one
        browsers = Kind.PAGES_TOGETHER if is_together else Kind.PAGES
        apps = Kind.APP_TOGETHER if is_together else Kind.APP
        account = self._account(browsers if has_browser else apps)
        address = together if is_together else next(self._addresses)
        return Person(
            kind=self.accounts[account.name],
            account=account.name,
            address=address,
            arrives=-self._chance.uniform(1, self._scale.lead),
            reacts=self._reaction(),
            refetches=self._chance.uniform(*REFETCH),
            early=self._chance.random() < EARLY,
            token="" if has_browser else self._token(account),
            cookie=self._cookie(app, account, address) if has_browser else "",
            seed=self._chance.getrandbits(32),
        )

    def scripts(self) -> tuple[Script, ...]:
        """Those that press as programs do, faster than people."""
        scale = self._scale
        made = [self._single(Kind.ALONE, 1) for _ in range(scale.alone)]
        made += [self._single(Kind.HYDRA, scale.addresses) for _ in range(scale.hydras)]
        made += self._farms()
        made += [self._single(Kind.REPLAYED, scale.addresses) for _ in range(scale.sharing)]
        made += self._worthless()
        made += [self._single(Kind.HAMMER, 1, begins=-scale.ahead) for _ in range(scale.hammers)]
        return tuple(made)

    def patient(self) -> tuple[Person, ...]:
        """What nobody can tell from people with an app, but for whom it belongs to."""
        size = self._scale.patient * self._scale.accounts
        return tuple(
            Person(
                kind=Kind.PATIENT,
                account=account.name,
                address=next(self._addresses),
                arrives=-1,
                reacts=self._reaction(),
                refetches=0.0,
                early=False,
                token=self._token(account),
                seed=self._chance.getrandbits(32),
            )
            for account in islice(iter(lambda: self._account(Kind.PATIENT), None), size)
        )

    def _single(self, kind: Kind, addresses: int, begins: float | None = None) -> Script:
        account = self._account(kind)
        moment = self._begin() if begins is None else begins
        return Script(kind, self._hands(account.name, self._token(account), addresses, moment))

    def _hands(self, account: str, token: str, addresses: int, begins: float) -> tuple[Hand, ...]:
        return tuple(Hand(account, token, next(self._addresses), begins) for _ in range(addresses))

    def _worthless(self) -> Iterator[Script]:
        """Scripts with the token of an account that is gone, an expired one, and a forged one."""
        gone, expired, forged = (self._account(Kind.REPLAYED) for _ in range(3))
        secret, lifetime = self._config.secret, self._config.token_lifetime
        given = {gone: self._token(gone), expired: tokens.issue(expired, secret, -1)}
        given[forged] = tokens.issue(forged, FOREIGN, lifetime)
        accounts.delete(self._stage.inside, gone.name)
        for account, token in given.items():
            del self.accounts[account.name]
            self.worthless.add(account.name)
            yield Script(Kind.REPLAYED, self._hands(account.name, token, 1, self._begin()))

    def _farms(self) -> list[Script]:
        """Scripts with many accounts each, registered from their one address over HTTP, as fast as they may."""
        homes = list(islice(self._addresses, self._scale.farms))
        with ThreadPoolExecutor(max(1, len(homes))) as pool:
            return list(pool.map(self._farm, homes, count(1)))

    def _farm(self, address: str, number: int) -> Script:
        client = Client(self._server.url, address)
        hands = []
        for which in range(self._scale.accounts):
            name = f"farm {number}, {which}"
            try:
                token = enter(client, name)
            except Unplayable as fault:
                raise CannotMeasure(str(fault)) from fault
            self.accounts[name] = Kind.FARM
            hands.append(Hand(name, token, address, self._begin()))
        return Script(Kind.FARM, tuple(hands))

    def _account(self, kind: Kind) -> Account:
        account = next(self._strangers)
        self.accounts[account.name] = kind
        return account

    def _token(self, account: Account) -> str:
        return tokens.issue(account, self._config.secret, self._config.token_lifetime)

    def _cookie(self, app: Flask, account: Account, address: str) -> str:
        """The cookie with which a browser of this person is logged in."""
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}, headers={"User-Agent": AGENT}):
            who.enter(account)
            response = app.process_response(app.make_response(""))
        return response.headers["Set-Cookie"].partition(";")[0].partition("=")[2]

    def _reaction(self) -> float:
        return self._chance.lognormvariate(math.log(MEDIAN), SPREAD)

    def _begin(self) -> float:
        return 0.0 if self._timing is not Timing.AS_PEOPLE else self._reaction()

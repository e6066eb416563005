"""Accounts: registering, logging in, the roles of merchants and operators, and leaving."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from redis.exceptions import RedisError

from storefront.domain.account import Account, Login, Profile, Seniority
from storefront.domain.errors import (
    AccountNotStored,
    InvalidToken,
    LedgerDown,
    NameTaken,
    NoSuchAccount,
    Overloaded,
    WrongCredentials,
)
from storefront.domain.ids import new_account_id
from storefront.domain.records import (
    AccountDeleted,
    AccountRecord,
    LoggedOut,
    LoggedOutEverywhere,
    MerchantGranted,
    MerchantRevoked,
    OperatorGranted,
    OperatorRevoked,
    Registered,
)
from storefront.services import passwords, proving, tokens
from storefront.shop import Shop

APPLY_TIMEOUT = 5.0
"""Seconds to wait for the order worker to apply a change."""

MOST_ENDED = 50
"""Tokens and sessions of an account that are remembered to have ended, until they would have run out by themselves."""


NO_CROWD: AbstractContextManager[bool] = nullcontext(enter_result=False)


def register(
    shop: Shop,
    profile: Profile,
    password: str,
    address: str = "",
    proof: str = "",
    *,
    crowd: AbstractContextManager[bool] = NO_CROWD,
) -> Account:
    """Make an account. Raises NameTaken, Recovering, Overloaded, or AccountNotStored if it can't be stored for good.

    Somebody who asks over the network does so from an ``address``. Where the shop asks for it, they need a ``proof`` of
    work, or a ticket; else ProofRequired or ProofInvalid is raised. The name is claimed within ``crowd``, which tells
    whether many registered from there lately, so that the account is on probation at first.

    The name is claimed first, then recorded, then confirmed. A claim whose record never got through is withdrawn by
    the sweep, so a name is never lost. The person is told only when the record is applied: a ledger that loses it later
    is seen to have been cut, and mended. Raises Overloaded if that takes too long; the account is there all the same.
    """
    asked = address and shop.config.register_proof
    with proving.spending(shop, proving.for_registration(address) if asked else None, proof):
        return _register(shop, profile, password, crowd)


def _register(shop: Shop, profile: Profile, password: str, crowd: AbstractContextManager[bool]) -> Account:
    try:
        if shop.accounts.get(profile.name):
            raise NameTaken
        account = Account(new_account_id(), profile, passwords.hashed(password, shop.config.password_memory))
        with crowd as crowded:
            probation_ms = shop.config.probation * 1000 if crowded else 0
            at, epoch = shop.accounts.claim(account, shop.config.doubt_ms, probation_ms)
        account = replace(account, seniority=Seniority(at, at + probation_ms if probation_ms else 0))
        receipt = shop.ledger.append(registration(account, at, epoch))
        if not shop.accounts.confirmed(account, epoch):
            raise AccountNotStored
        shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, APPLY_TIMEOUT)
    except (LedgerDown, RedisError) as fault:
        raise AccountNotStored from fault
    return account


def registration(account: Account, at: int, epoch: str) -> Registered:
    """The record that makes ``account``, whose name was claimed at ``at`` (Unix ms) in ``epoch``."""
    profile = account.profile
    return Registered(
        at=at,
        epoch=epoch,
        account=account.id,
        name=profile.name,
        age=profile.age,
        address=profile.address,
        avatar=profile.avatar,
        password=account.password,
        probation=account.seniority.probation,
    )


def log_in(shop: Shop, name: str, password: str) -> Account:
    """The account of these credentials.

    Raises WrongCredentials, which costs the same for any name, Recovering and Overloaded.
    """
    account = shop.accounts.get(name)
    if account is None:
        shop.require_open()
    stored = account.password if account else None
    if not passwords.matches(password, stored, shop.config.password_memory) or account is None:
        raise WrongCredentials
    return account


def token_for(shop: Shop, account: Account) -> str:
    """A token with which a program acts for ``account``."""
    return tokens.issue(account, shop.config.secret, shop.config.token_lifetime)


def holder_of(shop: Shop, token: str) -> Account:
    """The account that a token names. Raises Recovering, and InvalidToken, also where it is gone or logged out."""
    account = of(shop, tokens.read(token, shop.config.secrets))
    if account is None:
        shop.require_open()
        raise InvalidToken
    return account


def of(shop: Shop, claims: tokens.Claims) -> Account | None:
    """The account of which a token claims to be, if it is still there and admits the token."""
    account = known(shop, claims.name, claims.id)
    return account if account and account.admits(claims.login) else None


def known(shop: Shop, name: str, account_id: str) -> Account | None:
    """The account of this name, if it is still the one with this id."""
    account = shop.accounts.get(name)
    return account if account and account.id == account_id else None


def grant_merchant(shop: Shop, name: str) -> None:
    """Let an account open sales. Raises NoSuchAccount, LedgerDown, Overloaded."""
    _change(shop, name, MerchantGranted, lambda changed: changed is not None and changed.merchant)


def revoke_merchant(shop: Shop, name: str) -> None:
    """No longer let an account open sales. Raises as ``grant_merchant``."""
    _change(shop, name, MerchantRevoked, lambda changed: changed is None or not changed.merchant)


def grant_operator(shop: Shop, name: str) -> None:
    """Let an account see and change what is others'. Raises as ``grant_merchant``."""
    _change(shop, name, OperatorGranted, lambda changed: changed is not None and changed.operator)


def revoke_operator(shop: Shop, name: str) -> None:
    """No longer let an account see and change what is others'. Raises as ``grant_merchant``."""
    _change(shop, name, OperatorRevoked, lambda changed: changed is None or not changed.operator)


def delete(shop: Shop, name: str) -> None:
    """Delete an account: its tokens and sessions end, its name is free, it is told of nothing any more.

    Raises as ``grant_merchant``.
    """
    account = _existing(shop, name)
    _change(shop, name, AccountDeleted, lambda changed: changed is None)
    shop.webhooks.put(account.id, None)


def log_out(shop: Shop, account: Account, login: Login, until: int) -> None:
    """End one token or session before ``until`` (Unix ms), when it would run out. Raises as ``grant_merchant``.

    Too many to be remembered one by one are ended with all others. One from before there were ids can't be ended alone.
    """
    if not login.id:
        return
    now = shop.memory.now_ms()
    if sum(ends > now for _, ends in account.ended) >= MOST_ENDED:
        log_out_everywhere(shop, account.name)
        return
    record = LoggedOut(at=now, account=account.id, name=account.name, login=login.id, until=until)
    _apply(shop, record, lambda changed: changed is None or not changed.admits(login))


def log_out_everywhere(shop: Shop, name: str) -> None:
    """End every token and session of an account. Raises as ``grant_merchant``."""
    account = _existing(shop, name)
    era = tokens.new_login_id()
    record = LoggedOutEverywhere(at=shop.memory.now_ms(), account=account.id, name=name, era=era)
    _apply(shop, record, lambda changed: changed is None or changed.era != account.era)


def _existing(shop: Shop, name: str) -> Account:
    account = shop.accounts.get(name)
    if account is None:
        raise NoSuchAccount(name=name)
    return account


def _change(shop: Shop, name: str, kind: type[AccountRecord], done: Callable[[Account | None], bool]) -> None:
    account = _existing(shop, name)
    _apply(shop, kind(at=shop.memory.now_ms(), account=account.id, name=name), done)


def _apply(shop: Shop, record: AccountRecord, done: Callable[[Account | None], bool]) -> None:
    receipt = shop.ledger.append(record)
    shop.positions.wait(receipt.topic, receipt.partition, receipt.offset, APPLY_TIMEOUT)
    if not done(known(shop, record.name, record.account)):
        raise Overloaded  # recorded, but not applied: the ledger may have been cut meanwhile

"""Every way the shop says no, as exceptions that carry facts.

A refusal has a stable ``code`` for programs and a ``sentence`` for people. The sentence is an English template that
the web translates and fills from ``facts``. Where the interface document fixes the wording of an answer, ``documented``
holds it, and programs get exactly that. The families (``Conflict``, ``NotFound``, …) say what kind of no it is; which
HTTP status that means is the web's business.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any


def N_(sentence: str) -> str:
    """Mark a sentence for translation without translating it here."""
    return sentence


class Refused(Exception):
    """The shop says no. ``facts`` fill the sentence and go to programs as further keys.

    Moments are in UTC; lengths of time are in whole seconds.
    """

    code: str
    sentence: str
    documented: str | None = None
    field: str | None = None
    """The field of a form that this is about."""
    retry_after: int | None = None
    """After how many seconds it is worth asking again, where that is known."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(self.sentence)
        self.facts = facts


class Malformed(Refused):
    """The request itself is wrong."""

    code = "malformed"
    sentence = N_("The request is not understood.")


class Unauthenticated(Refused):
    """Nobody is known to be asking."""


class Forbidden(Refused):
    """Somebody known asks for what they may not do."""


class NotFound(Refused):
    """There is no such thing, or not for this asker."""


class Conflict(Refused):
    """The shop's state stands against it."""


class NotStored(Refused):
    """What was asked could not be stored for good. Nothing was changed, or it will be undone."""


class ComeBack(Refused):
    """Not now."""

    retry_after = 2


# The request itself


class BadSignature(Malformed):
    """A webhook isn't the payment provider's, or was sent too long ago."""

    code = "bad_signature"
    sentence = N_("The signature is missing, wrong, or too old.")


class NotJson(Malformed):
    """The body claims to be JSON and isn't."""

    code = "not_json"
    sentence = N_("The body is not valid JSON.")


class NotAnObject(Malformed):
    """The body is JSON, but not an object."""

    code = "not_an_object"
    sentence = N_("The body must be a JSON object.")


class TwoTokens(Malformed):
    """One request carries two different tokens."""

    code = "two_tokens"
    sentence = N_("The request carries two different tokens.")


class KeyMalformed(Malformed):
    """The Idempotency-Key is no string as the draft has it, nor a bare word."""

    code = "idempotency_key_malformed"
    sentence = N_(
        "The Idempotency-Key is not understood: send up to 255 printable ASCII characters, in quotes or bare."
    )


class KeyReused(Refused):
    """The same Idempotency-Key came with another request before."""

    code = "idempotency_key_reused"
    sentence = N_(
        "This Idempotency-Key was used for another request. Take a new one for each thing that you want done."
    )


class FormExpired(Malformed):
    """The form's CSRF token is missing, wrong or too old."""

    code = "csrf"
    sentence = N_("This form has expired. Please try again.")


class NoPicture(Malformed):
    """What was given can't become a picture of a sale."""

    field = "picture"


class NotAPicture(NoPicture):
    """The content is of no type that the shop reads, or broken."""

    code = "not_a_picture"
    sentence = N_("This is no picture that the shop can read. Take a JPEG, PNG, WebP or AVIF file.")


class PictureTooHeavy(NoPicture):
    """Too many bytes; ``most`` in MB."""

    code = "picture_too_heavy"
    sentence = N_("The picture is too large: %(most)s MB at most.")


class TooManyPixels(NoPicture):
    """Too many pixels; ``most`` in millions."""

    code = "too_many_pixels"
    sentence = N_("The picture has too many pixels: %(most)s million at most.")


class AddressNotAllowed(NoPicture):
    """The address of a picture leads into a network that isn't the public one, or isn't to be asked for a picture."""

    code = "address_not_allowed"
    sentence = N_("The shop may not fetch anything from this address.")


class NothingFetched(NoPicture):
    """Nothing came from a picture's address this time; ``why`` is for the log."""

    code = "nothing_fetched"
    sentence = N_("The other server did not give it.")


class WebhookAddressNotAllowed(Malformed):
    """The shop sends no webhooks to this address."""

    code = "address_not_allowed"
    field = "address"
    sentence = N_("The shop may not send anything there. Give a public address that begins with https://.")


# Who is asking


class InvalidToken(Unauthenticated):
    """No token, or one that is expired, forged, truncated, or of an account that is gone."""

    code = "invalid_token"
    sentence = N_("Please log in first.")
    documented = "Invalid token"


class WrongCredentials(Unauthenticated):
    """Unknown name or wrong password: the same answer for both, so that names can't be probed."""

    code = "wrong_credentials"
    sentence = N_("Name or password is wrong.")
    documented = "Invalid token"


class NotAMerchant(Forbidden):
    """Only merchants may open sales here."""

    code = "not_a_merchant"
    sentence = N_("Only merchants may open a sale.")


class OnlyMerchantsAreTold(NotAMerchant):
    """Only merchants are told of orders, since nobody else has any sales."""

    sentence = N_("Only merchants may have webhooks.")


class NotAnOperator(Forbidden):
    """Only operators may see and do this."""

    code = "not_an_operator"
    sentence = N_("Only the shop's operators can do this.")


class NotYourSale(Forbidden):
    """Somebody else's sale."""

    code = "not_your_sale"
    sentence = N_("Only the merchant of this sale may see this.")


class AccountTooNew(Forbidden):
    """The sale is for accounts that were registered some time ago, or this one is on probation and put back.

    ``allowed_from`` is when this one may buy, ``wait`` how long until then, both rounded up to whole seconds.
    """

    code = "account_too_new"
    sentence = N_("Your account is too new for this sale. It may buy in %(wait)s, from %(allowed_from)s on.")

    def __init__(self, allowed_from: int, now: int, ends: int, *, put_back: bool = False) -> None:
        """When the account may buy, the time now and the sale's end, all in Unix ms and by one clock."""
        wait = math.ceil((allowed_from - now) / 1000)
        super().__init__(
            allowed_from=datetime.fromtimestamp(math.ceil(allowed_from / 1000), UTC), wait=timedelta(seconds=wait)
        )
        if allowed_from >= ends:
            self.sentence = (
                N_("Many accounts were registered where yours was, so it is put back; this sale is over before that.")
                if put_back
                else N_("Your account is too new for this sale, which is over before it may buy.")
            )
            return
        self.retry_after = wait
        if put_back:
            self.sentence = N_(
                "Many accounts were registered where yours was, so it is put back a little: it may buy in %(wait)s, "
                "from %(allowed_from)s on."
            )


class ProofRefused(Forbidden):
    """A proof of work is asked for, and wasn't given. The web adds where the work is to be had."""


class ProofRequired(ProofRefused):
    """No proof came with the request."""

    code = "proof_required"
    sentence = N_("Your device must do a short calculation first. It starts by itself on the page; then try again.")


class ProofInvalid(ProofRefused):
    """The proof is wrong, somebody else's, for something else, too early, expired, or used."""

    code = "proof_invalid"
    sentence = N_("The proof of work does not hold: it is wrong, expired, used or not yours. Please try again.")


# What isn't there


class NoSuchPage(NotFound):
    """No such address."""

    code = "no_such_page"
    sentence = N_("There is no such page.")


class NoSuchSale(NotFound):
    """No sale of this product."""

    code = "no_such_sale"
    sentence = N_("There is no sale of this product.")


class NoSaleOfThisId(NotFound):
    """No sale has this id."""

    code = "no_such_sale"
    sentence = N_("There is no such sale.")


class NoSuchOrder(NotFound):
    """No such order, or somebody else's."""

    code = "no_such_order"
    sentence = N_("There is no such order of yours.")


class NotBanned(NotFound):
    """Nobody of this name or address is banned."""

    code = "not_banned"
    sentence = N_("Nobody is banned as “%(whom)s”.")


class NetworkTooWide(Malformed):
    """A network so wide that it is surely a slip."""

    code = "network_too_wide"
    sentence = N_("That network is too wide to be banned; name at least 8 bits of IPv4, or 16 of IPv6.")


class NoSuchAccount(NotFound):
    """No account of this name."""

    code = "no_such_account"
    sentence = N_("There is no account named “%(name)s”.")


class NoSuchEvent(NotFound):
    """No event of this id was noted for this merchant lately."""

    code = "no_such_event"
    sentence = N_("There is no such event of the last seven days.")


# What the shop's state refuses


class NameTaken(Conflict):
    """Another account has this name."""

    code = "name_taken"
    field = "name"
    sentence = N_("This name is taken.")


class SaleNameTaken(Conflict):
    """A sale of this product hasn't ended yet."""

    code = "name_taken"
    field = "name"
    sentence = N_("A sale of this product has not ended yet.")


class NotStarted(Conflict):
    """The sale opens later; ``begins`` in Unix seconds."""

    code = "not_started"
    sentence = N_("The sale has not started yet.")


class Ended(Conflict):
    """The sale's window is over."""

    code = "ended"
    sentence = N_("The sale has ended.")


class SalePaused(Conflict):
    """The merchant paused the sale."""

    code = "paused"
    sentence = N_("This sale is paused. Please look again later.")


class SaleCancelled(Conflict):
    """The merchant cancelled the sale."""

    code = "sale_cancelled"
    sentence = N_("This sale was cancelled by its merchant.")


class TooFewFree(Conflict):
    """The merchant would withdraw more units than are nobody's."""

    code = "too_few_free"
    sentence = N_("Free units: %(free)s. The others are sold or reserved.")
    field = "units"


class TooManyUnits(Conflict):
    """The merchant would give a sale more units than one may have."""

    code = "too_many_units"
    sentence = N_("A sale can have %(most)s units at most.")
    field = "units"


class NotLater(Conflict):
    """The new end of a sale isn't later than the one it has."""

    code = "not_later"
    sentence = N_("The sale can only be made to end later.")
    field = "time_endkill"


class LimitReached(Conflict):
    """The shopper already holds all they may; ``order`` is the newest of ``orders``."""

    code = "limit_reached"
    sentence = N_("You already hold as many as one shopper may buy.")


class SoldOut(Conflict):
    """Every unit is paid for."""

    code = "sold_out"
    sentence = N_("Sold out.")


class AllHeld(Conflict):
    """No unit is left, but some are unpaid and may return."""

    code = "all_held"
    sentence = N_("All units are taken. Unpaid ones may return within the payment time.")


class Drawing(Conflict):
    """Units are being handed out to those who entered the sale's draw in time, and this shopper didn't."""

    code = "drawing"
    sentence = N_("The units of this sale are drawn by lot among those who enter in time.")


class NoWebhookAddress(Conflict):
    """The merchant has no address to send anything to, or it is switched off."""

    code = "no_webhook_address"
    sentence = N_("Nothing can be sent: save an address first.")


class UnitsLeft(Conflict):
    """There is no need to wait: a unit can be bought."""

    code = "units_left"
    sentence = N_("There are units left: you can buy one now.")


class AlreadyPaid(Conflict):
    """The order is paid."""

    code = "already_paid"
    sentence = N_("This order is already paid.")


class Expired(Conflict):
    """The order wasn't paid in time, or its unit was given back."""

    code = "expired"
    sentence = N_("This order has expired. Money that came too late is returned in full.")


class Cancelled(Conflict):
    """The order was cancelled."""

    code = "cancelled"
    sentence = N_("This order is cancelled. Money that came too late is returned in full.")


class InFlight(Conflict):
    """The first request under this Idempotency-Key is still being carried out."""

    code = "idempotency_in_flight"
    sentence = N_("The same request is still being carried out. Please ask for its outcome in a moment.")
    retry_after = 1


class PurchaseLost(Conflict):
    """The purchase this key stands for never took effect, and its unit was given back."""

    code = "purchase_lost"
    sentence = N_("This purchase did not go through. Please try again.")


class ChangeLost(Conflict):
    """The change of a sale that this key stands for never took effect, and its units were given back."""

    code = "change_lost"
    sentence = N_("This change did not go through. Please ask for it once more.")


# What could not be stored


class LedgerDown(NotStored):
    """The ledger doesn't answer, so nothing can be promised."""

    code = "ledger_down"
    sentence = N_("The order could not be recorded. Please try again in a moment.")
    documented = "Failed to send request to Kafka"


class AccountNotStored(NotStored):
    """The account couldn't be stored for good."""

    code = "account_not_stored"
    sentence = N_("The account could not be stored. Please try again in a moment.")
    documented = "user creation failed"


class SaleNotStored(NotStored):
    """The sale couldn't be stored for good."""

    code = "sale_not_stored"
    sentence = N_("The sale could not be stored. Please try again in a moment.")
    documented = "Product creation failed"


class PictureNotStored(NotStored):
    """The picture couldn't be written. The sale isn't opened."""

    code = "picture_not_stored"
    sentence = N_("The picture could not be stored. Please try again in a moment, or open the sale without it.")


# Not now


class Recovering(ComeBack):
    """The shop is putting its memory in order after a fault."""

    code = "recovering"
    sentence = N_("The shop is recovering. Nothing is lost; please try again in a few seconds.")


class Overloaded(ComeBack):
    """The change is recorded, or will be; the shop is behind with applying it."""

    code = "overloaded"
    sentence = N_("The shop is very busy. Please look again in a few seconds.")


class PaymentDown(ComeBack):
    """The payment provider doesn't answer, or doesn't do what it is asked."""

    code = "payment_unavailable"
    sentence = N_("The payment provider does not answer. Please try again in a few seconds.")


class Banned(Refused):
    """The caller, or their account, is shut out; for ``seconds`` more. ``ban`` is a ``domain.ban.Ban``."""

    code = "banned"
    sentence = N_("You are banned until %(until)s. %(reason)s")

    def __init__(self, ban: Any, seconds: int, **facts: Any) -> None:
        super().__init__(**facts)
        self.ban, self.seconds = ban, seconds


class TooFast(Refused):
    """The caller asks too often. The web knows for how long."""

    code = "too_fast"
    sentence = N_("Too many requests. Please slow down.")


class TooManyGuesses(TooFast):
    """Too many log-ins to one account from where nobody has logged in to it before."""

    code = "too_many_logins"
    sentence = N_(
        "Too many log-ins to this account from devices that it does not know. Take one that you have logged in with "
        "before, or try again later."
    )

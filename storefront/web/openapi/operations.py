"""The table of everything that programs can call: each line names a view, who may call it, and what may come of it.

Addresses and methods are Flask's, what is taken is the form's, so neither stands here. A test asks that every view is
in this table or in LEFT_OUT.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from storefront.domain import errors
from storefront.domain.errors import N_
from storefront.services.buying import STATES
from storefront.web import forms
from storefront.web.repeating import BARE, LONGEST_KEY, STRING
from storefront.web.show import LONGEST_SEARCH


class Who(StrEnum):
    """Who may call."""

    ANYONE = "anyone"
    ANYONE_KNOWN_OR_NOT = "anyone, known or not"
    ACCOUNT = "account"
    MERCHANT = "merchant"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Link:
    """What to call next: an operation, with what its path and body take from this one (runtime expressions)."""

    to: str
    path: dict[str, str] = field(default_factory=dict)
    body: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One call. ``answer`` names one of ANSWERS, or is a media type; ``at`` fixes parts of the view's address."""

    id: str
    view: str
    summary: str
    answer: str
    tag: str
    who: Who = Who.ANYONE
    form: type[forms.ShopForm] | None = None
    refusals: tuple[type[errors.Refused], ...] = ()
    links: tuple[Link, ...] = ()
    parameters: tuple[str, ...] = ()
    at: dict[str, str] = field(default_factory=dict)
    has_page: bool = False
    is_limited: bool = True
    more: tuple[int, ...] = ()
    """Further statuses without a body of their own."""


PARAMETERS: dict[str, dict[str, Any]] = {
    "q": {
        "in": "query",
        "description": N_("Words that are searched for."),
        "schema": {"type": "string", "maxLength": LONGEST_SEARCH},
    },
    "state": {
        "in": "query",
        "description": N_("Only orders in one state."),
        "schema": {"type": "string", "enum": ["", *STATES]},
    },
    "all": {
        "in": "query",
        "description": N_("1 for everybody's sales, as operators see them."),
        "schema": {"type": "string", "enum": ["", "1"]},
    },
    "view": {
        "in": "query",
        "description": N_("start for the first minutes alone."),
        "schema": {"type": "string", "enum": ["", "start"]},
    },
    "Idempotency-Key": {
        "in": "header",
        "description": N_("A text of your own choice, in quotes or bare; a repeat under the same one is harmless."),
        "schema": {"type": "string", "pattern": f"^(?:{BARE.pattern}|{STRING.pattern})$", "maxLength": LONGEST_KEY},
    },
    "If-None-Match": {
        "in": "header",
        "description": N_("The ETag of what one has already."),
        "schema": {"type": "string"},
    },
}

PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "product": {
        "description": N_("Name of the product, percent-encoded whole."),
        "schema": {"type": "string", "minLength": 1},
    },
    "sale_id": {"description": N_("Number of the sale."), "schema": {"type": "string", "minLength": 1}},
    "order_id": {"description": N_("Number of the order."), "schema": {"type": "string", "minLength": 1}},
    "file": {
        "description": N_("Name of the file, as a sale's image ends."),
        "schema": {"type": "string", "minLength": 1},
    },
}

KEY = ("Idempotency-Key",)
KEYED = (errors.KeyMalformed, errors.KeyReused, errors.InFlight)
OF_SALES = (errors.NoSaleOfThisId,)
OVERSEES = (errors.NoSaleOfThisId, errors.NotYourSale)
TOLD = (errors.OnlyMerchantsAreTold,)
CHANGES = (*OVERSEES, errors.SaleCancelled, errors.Ended, errors.Overloaded)
PROOFS = (errors.AccountTooNew, errors.ProofRequired, errors.ProofInvalid)
SHUT = (errors.NotStarted, errors.Ended, errors.SalePaused, errors.SaleCancelled, errors.SoldOut)
PAYS = (errors.NoSuchOrder, errors.AlreadyPaid, errors.Expired, errors.Cancelled, errors.Overloaded)

SAME_PERSON = {"name": "$request.body#/name", "pass": "$request.body#/password"}  # nosec B105 - where a value stands
KNOWN = {"token": "$response.body#/token"}  # nosec B105 - the same
ORDER_HERE = {"order_id": "$response.body#/order"}
SALE_HERE = {"sale_id": "$response.body#/sale"}
SAME_ORDER = {"order_id": "$request.path.order_id"}
SAME_SALE = {"sale_id": "$request.path.sale_id"}
AROUND_ORDER = (Link("showOrder", ORDER_HERE), Link("pay", ORDER_HERE), Link("cancelOrder", ORDER_HERE))
FIRST_SALE = {"sale_id": "$response.body#/sales/0/sale"}
FIRST_PRODUCT = {"product": "$response.body#/sales/0/name"}
FIRST_ORDER = {"order_id": "$response.body#/orders/0/order"}
WATCHES = (Link("watch", SALE_HERE), Link("remind", SALE_HERE), Link("showPlace", SALE_HERE))

ACTIONS: dict[str, tuple[str, type[forms.ShopForm], tuple[type[errors.Refused], ...]]] = {
    "pause": (N_("Have nobody buy for the time being."), forms.PauseForm, ()),
    "resume": (N_("End a pause."), forms.PauseForm, ()),
    "restock": (
        N_("Have more units, or fewer."),
        forms.RestockForm,
        (errors.TooFewFree, errors.TooManyUnits, errors.ChangeLost),
    ),
    "extend": (N_("Have the sale end later."), forms.ExtendForm, (errors.NotLater,)),
    "cancel": (N_("End the sale for good; orders are cancelled, payments returned."), forms.CancelForm, ()),
}
CHANGE_IDS = {action: f"{action}Sale" for action in ACTIONS}
DESK = ("oversee", "seeSeries", "seeOrdersOfSale", "exportOrdersOfSale")
OVERSEEN = tuple(Link(name, SALE_HERE) for name in (*DESK, *CHANGE_IDS.values()))

OPERATIONS = [
    # Accounts
    Operation(
        "register", "accounts.do_register", N_("Make an account."), "Registered", "accounts",
        form=forms.RegisterForm,
        refusals=(errors.NameTaken, errors.AccountNotStored, errors.ProofRequired, errors.ProofInvalid,
                  errors.Overloaded),
        links=(Link("logIn", body=SAME_PERSON),),
    ),
    Operation(
        "logIn", "accounts.do_login", N_("Get a token for a name and a password."), "Token", "accounts",
        form=forms.LoginForm, refusals=(errors.WrongCredentials, errors.TooManyGuesses, errors.Overloaded),
        links=(Link("openSale", body=KNOWN),),
    ),
    Operation("showAccount", "accounts.account", N_("Your account."), "Account", "accounts", Who.ACCOUNT,
              has_page=True),
    Operation(
        "logOut", "accounts.logout", N_("End this token before its time, or all tokens and sessions of the account."),
        "Done", "accounts", Who.ACCOUNT, form=forms.LogoutForm, refusals=(errors.AccountNotStored, errors.Overloaded),
    ),
    Operation("askForProofToRegister", "proving.challenge_of_registration", N_("Work to do before registering."),
              "Challenge", "accounts"),
    Operation("takeTicketToRegister", "proving.ticket_of_registration", N_("Wait instead of working."), "Ticket",
              "accounts", form=forms.EmptyForm),
    Operation("showRegisterPage", "accounts.register", N_("The form for people."), "text/html", "accounts"),
    Operation("showLogInPage", "accounts.login", N_("The form for people."), "text/html", "accounts",
              Who.ANYONE_KNOWN_OR_NOT, more=(303,)),
    # Sales
    Operation("listSales", "selling.home", N_("The sales: live, upcoming, ended."), "Sales", "sales",
              parameters=("q",), has_page=True,
              links=(Link("showSale", FIRST_PRODUCT), Link("buy", FIRST_PRODUCT), Link("watch", FIRST_SALE))),
    Operation(
        "openSale", "selling.do_create", N_("Open a sale."), "OpenedSale", "sales", Who.MERCHANT,
        form=forms.SaleForm,
        refusals=(errors.NotAMerchant, errors.SaleNameTaken, errors.SaleNotStored, errors.Overloaded),
        links=(
            Link("showSale", {"product": "$request.body#/name"}), Link("buy", {"product": "$request.body#/name"}),
            *WATCHES, *OVERSEEN, Link("joinWaitlist", SALE_HERE), Link("askForProof", SALE_HERE),
            Link("takeTicket", SALE_HERE),
        ),
    ),
    Operation("showOpenSalePage", "selling.create", N_("The form for people."), "text/html", "sales", Who.MERCHANT,
              refusals=(errors.NotAMerchant,)),
    Operation(
        "showSale", "selling.sale", N_("One sale."), "LookedAtSale", "sales", Who.ANYONE_KNOWN_OR_NOT,
        refusals=(errors.NoSuchSale,), has_page=True,
        links=(Link("buy", {"product": "$request.path.product"}), *WATCHES),
    ),
    Operation("watch", "watching.status", N_("Where a sale stands: the same for everybody, good for a second."),
              "Status", "sales", refusals=OF_SALES, parameters=("If-None-Match",), is_limited=False, more=(304,)),
    Operation("remind", "watching.remind", N_("A sale for calendars (iCalendar)."), "text/calendar", "sales",
              refusals=OF_SALES),
    Operation("showPicture", "pictures.picture", N_("One file of a picture."), "image/webp", "sales",
              refusals=(errors.NoSuchPage,), is_limited=False, more=(304,)),
    # Buying
    Operation(
        "buy", "buying.buy", N_("Buy one unit, or enter the draw."), "Purchase", "buying", Who.ACCOUNT,
        form=forms.ProofForm, parameters=KEY,
        refusals=(errors.NoSuchSale, *SHUT, errors.AllHeld, errors.LimitReached, errors.PurchaseLost, *PROOFS,
                  errors.LedgerDown, errors.Drawing, *KEYED),
        links=AROUND_ORDER, more=(202,),
    ),
    Operation("askForProof", "proving.challenge", N_("Work to do before buying or waiting."), "Challenge", "buying",
              Who.ACCOUNT, refusals=OF_SALES),
    Operation("takeTicket", "proving.ticket", N_("Wait instead of working."), "Ticket", "buying", Who.ACCOUNT,
              form=forms.EmptyForm, refusals=OF_SALES),
    Operation("showPlace", "waiting.place", N_("Your place on a sale's waitlist."), "Place", "buying", Who.ACCOUNT,
              refusals=OF_SALES, more=(302,)),
    Operation(
        "joinWaitlist", "waiting.join",
        N_("Wait for a unit that comes back, once all are held; or enter the draw."), "Place", "buying", Who.ACCOUNT,
        form=forms.ProofForm,
        refusals=(*OF_SALES, *SHUT, errors.UnitsLeft, errors.LimitReached, *PROOFS, errors.Overloaded),
        links=(Link("leaveWaitlist", SAME_SALE),),
    ),
    Operation("leaveWaitlist", "waiting.leave", N_("Wait no longer."), "Place", "buying", Who.ACCOUNT,
              form=forms.EmptyForm, refusals=(*OF_SALES, errors.Overloaded)),
    # Orders
    Operation("listOrders", "buying.orders", N_("Your orders, the newest in front."), "Orders", "orders", Who.ACCOUNT,
              parameters=("state",), links=(Link("showOrder", FIRST_ORDER), Link("pay", FIRST_ORDER)), has_page=True),
    Operation("showOrder", "buying.order", N_("One order."), "Order", "orders", Who.ACCOUNT,
              refusals=(errors.NoSuchOrder,), links=AROUND_ORDER[1:], has_page=True),
    Operation("pay", "buying.pay", N_("Pay an order, or be told at which page it is paid."), "Payment", "orders",
              Who.ACCOUNT, form=forms.EmptyForm,
              refusals=(*PAYS, errors.SaleCancelled, errors.PaymentDown, *KEYED), parameters=KEY,
              links=(Link("showOrder", SAME_ORDER), Link("comeBack", SAME_ORDER))),
    Operation("comeBack", "buying.returned", N_("The order, once its payment was looked for at the provider."),
              "Order", "orders", Who.ACCOUNT, refusals=(errors.NoSuchOrder, errors.PaymentDown, errors.Overloaded)),
    Operation("cancelOrder", "buying.cancel", N_("Give an unpaid order's unit back."), "Order", "orders", Who.ACCOUNT,
              form=forms.EmptyForm, refusals=(*PAYS, *KEYED), parameters=KEY, links=(Link("showOrder", SAME_ORDER),)),
    # A merchant's desk
    Operation("listSalesOfMerchant", "overseeing.sales", N_("Your sales, with units and money."), "SalesOfMerchant",
              "merchants", Who.MERCHANT, refusals=(errors.NotAnOperator,), parameters=("all",),
              links=tuple(Link(name, FIRST_SALE) for name in DESK), has_page=True),
    Operation("oversee", "overseeing.sale", N_("One of your sales, with its history."), "SaleOnDashboard", "merchants",
              Who.MERCHANT, refusals=OVERSEES, parameters=("view",), has_page=True,
              links=tuple(Link(f"{name}First", SAME_SALE) for name in CHANGE_IDS.values())),
    Operation("seeSeries", "overseeing.series", N_("How a sale went, as columns of figures."), "Series", "merchants",
              Who.MERCHANT, refusals=OVERSEES, parameters=("view",)),
    Operation("seeOrdersOfSale", "overseeing.orders", N_("A sale's orders, the newest in front."), "OrdersOfSale",
              "merchants", Who.MERCHANT, refusals=OVERSEES, parameters=("state", "q"), has_page=True),
    Operation("exportOrdersOfSale", "overseeing.csv", N_("All orders of a sale for a spreadsheet."), "text/csv",
              "merchants", Who.MERCHANT, refusals=OVERSEES),
    *(
        Operation(CHANGE_IDS[action], "changing.do", summary, "SaleOfMerchant", "merchants", Who.MERCHANT, form=form,
                  refusals=(*CHANGES, *more, errors.KeyMalformed), parameters=KEY, at={"action": action})
        for action, (summary, form, more) in ACTIONS.items()
    ),
    *(
        Operation(f"{CHANGE_IDS[action]}First", "changing.ask", N_("The sale, if this can be done to it now."),
                  "SaleOfMerchant", "merchants", Who.MERCHANT, refusals=CHANGES[:-1],
                  at={"action": action}, has_page=True)
        for action in ACTIONS
    ),
    Operation("showWebhooks", "merchant_webhooks.standing", N_("Where you are told of your orders, and how that went."),
              "Webhooks", "merchants", Who.ACCOUNT, refusals=TOLD, has_page=True),
    Operation("setWebhookAddress", "merchant_webhooks.put", N_("Be told of your orders at an address, or nowhere."),
              "Webhooks", "merchants", Who.ACCOUNT, form=forms.WebhookForm,
              refusals=(*TOLD, errors.WebhookAddressNotAllowed), links=(Link("renewWebhookSecret"),)),
    Operation("renewWebhookSecret", "merchant_webhooks.renew_secret", N_("Have webhooks signed with another secret."),
              "Webhooks", "merchants", Who.ACCOUNT, form=forms.EmptyForm, refusals=(*TOLD, errors.NoWebhookAddress)),
    Operation("redeliver", "merchant_webhooks.redeliver", N_("Be told of an event once more."), "Webhooks",
              "merchants", Who.ACCOUNT, form=forms.RedeliverForm,
              refusals=(*TOLD, errors.NoWebhookAddress, errors.NoSuchEvent)),
    Operation("testWebhook", "merchant_webhooks.send_test", N_("Be told of nothing, to see whether it comes through."),
              "Webhooks", "merchants", Who.ACCOUNT, form=forms.EmptyForm, refusals=(*TOLD, errors.NoWebhookAddress)),
    # Operators
    Operation("listBans", "bans.bans", N_("Who is banned."), "Bans", "operators", Who.OPERATOR, has_page=True),
    Operation("ban", "bans.ban", N_("Ban an account, an address or a network."), "Ban", "operators", Who.OPERATOR,
              form=forms.BanForm, refusals=(errors.NoSuchAccount, errors.NetworkTooWide)),
    Operation("liftBan", "bans.lift", N_("End a ban."), "Ban", "operators", Who.OPERATOR, form=forms.LiftForm,
              refusals=(errors.NotBanned,)),
    Operation("showClock", "ops.clock", N_("The clock by which sales open."), "Clock", "operators"),
    Operation("isAlive", "ops.healthz", N_("Whether this process answers."), "Health", "operators", is_limited=False),
    Operation("isReady", "ops.readyz", N_("Whether this process can sell; 503 while it can't."), "Readiness",
              "operators", is_limited=False),
    Operation("showMetrics", "metrics.metrics", N_("The shop's figures for Prometheus."), "text/plain", "operators",
              is_limited=False),
    Operation("describe", "openapi.description", N_("This description."), "Description", "operators"),
]  # fmt: skip

TAGS = {
    "accounts": N_("Accounts"),
    "sales": N_("Sales"),
    "buying": N_("Buying"),
    "orders": N_("Orders"),
    "merchants": N_("A merchant's desk"),
    "operators": N_("Operators and scripts"),
}

LEFT_OUT = {
    "static": "files of the pages",
    "ops.language": "a button of every page; programs say Accept-Language",
    "drafting.picture": "a picture of a person's form for a sale that isn't open yet",
    "openapi.page": "shows this description to people",
    "sandbox.page": "stands for a page of the payment provider",
    "sandbox.choose": "the same",
    "webhooks.receive": "called by the payment provider alone, which has a description of its own",
}
"""Views that programs have no use for, and why."""

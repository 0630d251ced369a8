"""What a bystander sees at the exchange, and what he may ask of it: for whoever judges a trader by its books.

It reads what the exchange wrote, so that a judge need not read the wire as the trader does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.market.figures import money_text

Raw = Mapping[str, Any]
MARKS = "clientExtensions"
"""The last part of the address at which the marks of a trade are changed."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A market order as it is asked for: its name, and the tag of the trade that it would open."""

    name: str
    tag: str | None
    instrument: str
    units: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A trade that a fill opened, with its marks."""

    trade_id: int
    name: str
    tag: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of an account's record. balance: as it states it, None where it states none.

    name: what a market order is called. closes: the trade that it is to close. opened, ended, reduced: what a fill did
    to trades; by_order: whether a market order was filled, and not a stop or a target.
    """

    id: int
    type: str
    balance: Decimal | None
    amount: Decimal
    price: Decimal | None
    name: str
    closes: int | None
    opened: Opened | None
    ended: tuple[int, ...]
    reduced: tuple[int, ...]
    by_order: bool


@dataclass(frozen=True, slots=True)
class Held:
    """An open trade. comment: of its marks, None for none."""

    trade_id: int
    units: Decimal
    comment: str | None
    has_stop: bool


def ordered(body: Raw) -> Ordered:
    """Read the body of a request for a market order."""
    order = body["order"]
    marks = order.get("tradeClientExtensions") or {}
    return Ordered(
        (order.get("clientExtensions") or {}).get("id", ""), marks.get("tag"), order["instrument"], int(order["units"])
    )


def entry(raw: Raw) -> Entry:
    """Read an entry of the record."""
    opened = raw.get("tradeOpened")
    marks = (opened or {}).get("clientExtensions") or {}
    reduced = raw.get("tradeReduced")
    closes = raw.get("tradeClose")
    return Entry(
        id=int(raw["id"]),
        type=raw["type"],
        balance=Decimal(raw["accountBalance"]) if "accountBalance" in raw else None,
        amount=Decimal(raw.get("amount", 0)),
        price=Decimal(raw["price"]) if "price" in raw else None,
        name=(raw.get("clientExtensions") or {}).get("id", ""),
        closes=None if closes is None else int(closes["tradeID"]),
        opened=None if opened is None else Opened(int(opened["tradeID"]), marks.get("id", ""), marks.get("tag", "")),
        ended=tuple(int(part["tradeID"]) for part in raw.get("tradesClosed", ())),
        reduced=() if reduced is None else (int(reduced["tradeID"]),),
        by_order=raw.get("reason") == "MARKET_ORDER",
    )


def held(answer: Raw) -> list[Held]:
    """Read the answer of the open trades' address."""
    return [
        Held(
            int(one["id"]),
            Decimal(str(one["currentUnits"])),
            (one.get("clientExtensions") or {}).get("comment"),
            "stopLossOrder" in one,
        )
        for one in answer["trades"]
    ]


def recorded(answer: Raw) -> list[Entry]:
    """Read the answer of the address that tells transactions since an id."""
    return [entry(raw) for raw in answer["transactions"]]


# -- what a person asks of the exchange: method, address below the account, body

Asked = tuple[str, str, dict[str, Any]]


def close(trade_id: int, units: int | None = None) -> Asked:
    """Close a trade, or so many units of it."""
    return "PUT", f"trades/{trade_id}/close", {"units": "ALL" if units is None else str(units)}


def move_stop(trade_id: int, price: str | None) -> Asked:
    """Move the stop of a trade; None takes it off."""
    stop = None if price is None else {"price": price, "timeInForce": "GTC"}
    return "PUT", f"trades/{trade_id}/orders", {"stopLoss": stop}


def mark(trade_id: int, comment: str) -> Asked:
    """Write a comment on a trade."""
    return "PUT", f"trades/{trade_id}/{MARKS}", {MARKS: {"comment": comment}}


def buy(instrument: str, units: int) -> Asked:
    """A market order; negative units sell."""
    return "POST", "orders", {"order": {"type": "MARKET", "instrument": instrument, "units": str(units)}}


OPEN_TRADES = "openTrades"
"""The address of the open trades."""


# -- what happens to an account without anybody's request


def pay(floor: Floor, account: Account, amount: Decimal) -> None:
    """Pay money in, or out."""
    _write(floor, account, "TRANSFER_FUNDS", amount, {"fundingReason": "CLIENT_FUNDING"})


def charge(floor: Floor, account: Account, kind: str, amount: Decimal) -> None:
    """Record an entry of any type that moves money."""
    _write(floor, account, kind, amount, {})


def spoil(floor: Floor, account: Account) -> None:
    """Record a fill whose figures cannot be read."""
    _write(floor, account, "ORDER_FILL", Decimal(0), {"pl": "much", "orderID": "1", "instrument": "EUR_USD"})


def _write(floor: Floor, account: Account, kind: str, amount: Decimal, fields: dict[str, Any]) -> None:
    account.balance += amount
    batch = Batch(account, floor.now)
    batch.add(kind, {"amount": money_text(amount), "accountBalance": money_text(account.balance), **fields})
    floor.commit(batch)

"""The OANDA v20 client: the broker port over REST and streams, synchronous, on one kept connection pool.

The client is complete on purpose: it covers every endpoint of an account. The trader uses what the port names; pending
orders, exits, positions, changes and the history of transactions serve conformance tests, people at a prompt, and a
control loop that sets exits.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx

from sep_trader.broker.oanda import orders, outcomes, record, wire
from sep_trader.broker.oanda.candle_wire import candles as parse_candles
from sep_trader.broker.oanda.hosts import hosts
from sep_trader.broker.oanda.streams import Feed
from sep_trader.broker.oanda.times import DatetimeFormat, format_time
from sep_trader.broker.oanda.transport import (
    Answer,
    Backoff,
    Lost,
    NotSent,
    StreamConnection,
    Surroundings,
    Transport,
)
from sep_trader.broker.oanda.values import Account, AccountChanges, AnyOrder, BrokerOrder, Position
from sep_trader.broker.port import (
    AccountSnapshot,
    AccountSummary,
    Broker,
    BrokerTrade,
    EventFeed,
    EventSink,
    Outcome,
    Pricing,
    Rejected,
    Transactions,
    Unknown,
)
from sep_trader.errors import BrokerError
from sep_trader.ledger.transactions import Transaction
from sep_trader.market.candles import QuoteCandles
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import Instrument

__all__ = ["OandaClient", "hosts"]

MAX_CANDLES = 5000
_MAX_PAGE = 1000
_EVER = -(1 << 62)

T = TypeVar("T")


class OandaClient:
    """Speak OANDA v20 for one account; safe to share between threads.

    Reads are retried and raise BrokerError: BrokerUnavailable when worth a later try, BrokerAuthError for the token or
    the account, BrokerNotFound for a 404. Orders and changes are sent at most once and return an Outcome; none of
    them raises for what the broker or the network does:

    - Rejected(reason, ...): the broker refused it. `NOT_SENT` when it never left (no connection, or the instrument's
      precision could not be read first), `RATE_LIMITED` for a 429, `UNAUTHORIZED` and `FORBIDDEN` for a 401 and 403.
    - Unknown(cause): it may have been sent and no readable answer came (timeout, reset, 5xx, unreadable 2xx).
      The account's record tells; `resolve` looks once. Sending it again may double it.
    """

    def __init__(
        self,
        *,
        api_url: str,
        stream_url: str,
        token: str,
        account_id: str,
        timeout_s: float = 10.0,
        transport: httpx.BaseTransport | None = None,
        datetime_format: DatetimeFormat = "RFC3339",
        retry: Backoff | None = None,
        stream_silence_s: float = 10.0,
        requests_per_s: int = 100,
        surroundings: Surroundings | None = None,
    ) -> None:
        """Take the two addresses (see `hosts`), the token and the account; nothing is sent yet.

        timeout_s: to connect, to send and for each wait for an answer. stream_silence_s: a stream without a byte for
        so long is dead (heartbeats come every 5 s). requests_per_s: at most; OANDA's limits count for an address, so
        that programs on one machine share them. surroundings: clock, sleep and chance of a simulation.
        datetime_format: how OANDA writes times, RFC3339 or UNIX.
        Raises InputError for a malformed address.
        """
        self.account_id = account_id
        self._datetime_format = datetime_format
        self._account = f"/accounts/{quote(account_id, safe='')}"
        self._instruments: dict[str, Instrument] = {}
        self._transport = Transport(
            api_url=api_url,
            stream_url=stream_url,
            token=token,
            timeout_s=timeout_s,
            stream_silence_s=stream_silence_s,
            datetime_format=datetime_format,
            retry=retry or Backoff(),
            transport=transport,
            requests_per_s=requests_per_s,
            surroundings=surroundings,
        )

    # -- account

    def accounts(self) -> list[Account]:
        """List the accounts that the token may use."""
        return self._get("/accounts", None, lambda body: [wire.account(item) for item in body["accounts"]])

    def summary(self) -> AccountSummary:
        """Read the account's money and its last transaction id."""
        return self._get(f"{self._account}/summary", None, wire.summary)

    def untradeable(self) -> str | None:
        """Say why the account cannot be traded here: orders of MetaTrader accounts carry no client extensions."""
        own = next((item for item in self.accounts() if item.account_id == self.account_id), None)
        return f"account {self.account_id} is a MetaTrader 4 account" if own is not None and own.mt4 else None

    def snapshot(self) -> AccountSnapshot:
        """Read the account's money and its open trades with their exits, all of one moment."""
        return self._get(self._account, None, wire.snapshot)

    def changes(self, since_id: int) -> AccountChanges:
        """Read what changed after a transaction id, and the price-dependent values now."""
        return self._get(f"{self._account}/changes", {"sinceTransactionID": since_id}, wire.changes)

    def instruments(self, names: Sequence[str] | None = None) -> list[Instrument]:
        """Read the terms of the named instruments, or of all currency pairs of the account."""
        params = {"instruments": ",".join(names)} if names else None
        items = self._get(f"{self._account}/instruments", params, lambda body: body["instruments"])
        wanted = [item for item in items if names or item.get("type", "CURRENCY") == "CURRENCY"]
        found = self._parse("instruments", lambda: [wire.instrument(item) for item in wanted])
        self._instruments |= {item.name: item for item in found}
        return found

    # -- prices

    def candles(
        self,
        instrument: str,
        granularity: Granularity,
        *,
        count: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        include_first: bool = True,
    ) -> QuoteCandles:
        """Read one page of complete bid/ask candles with start <= time < end, oldest first, at most 5,000.

        `count` bounds the periods looked at, not the candles found: a period without a price has none. An `end` in
        the broker's future is no error.
        """
        params: dict[str, str | int] = {"price": "BA", "granularity": granularity.value}
        if start is not None:
            params["from"] = format_time(start, self._datetime_format)
            if not include_first:
                params["includeFirst"] = "False"
        page = min(count or MAX_CANDLES, MAX_CANDLES)
        if start is not None and end is not None:
            page = max(1, min(page, 1 - int((start - end).total_seconds() // granularity.seconds)))
        if end is not None:
            params["to"] = format_time(end, self._datetime_format)
        if start is None or end is None or count is not None or page == MAX_CANDLES:
            params["count"] = page
            if start is not None:
                params.pop("to", None)
        body = self._candle_page(f"{self._account}/instruments/{quote(instrument)}/candles", params, page)
        found = self._parse("candles", lambda: parse_candles(body, instrument, granularity))
        first = _EVER if start is None else _ceil(start) + (0 if include_first else 1)
        return found.between(first, -_EVER if end is None else _ceil(end))

    def _candle_page(self, path: str, params: dict[str, str | int], page: int) -> dict[str, Any]:
        try:
            return self._transport.get(path, params)
        except BrokerError as error:
            # Only the broker knows its own clock; without `to` the newest candles come and the caller's end cuts them.
            if "to" not in params or "future" not in error.message:
                raise
        return self._transport.get(path, {k: v for k, v in params.items() if k != "to"} | {"count": page})

    def pricing(self, instruments: Sequence[str]) -> Pricing:
        """Read the latest quotes and the home conversion factors. An instrument with an empty book is left out."""
        params = {"instruments": ",".join(instruments), "includeHomeConversions": "true"}
        return self._get(f"{self._account}/pricing", params, wire.pricing)

    # -- orders

    def place(self, order: AnyOrder) -> Outcome:
        """Send a market, limit or stop order once, on the instrument's precision (see `rounding`)."""
        instrument = self._instrument(order.instrument)
        if isinstance(instrument, Rejected):
            return instrument
        order = orders.quantised(order, instrument)
        if not order.units:
            return Rejected("UNITS_INVALID", "the size is zero at the instrument's precision; nothing was sent")
        return self._write("POST", "/orders", orders.order_request(order, self._datetime_format))

    def replace(self, order_id: int, order: AnyOrder) -> Outcome:
        """Replace a pending order by another one, sent once; the outcome is that of the new order."""
        instrument = self._instrument(order.instrument)
        if isinstance(instrument, Rejected):
            return instrument
        request = orders.order_request(orders.quantised(order, instrument), self._datetime_format)
        return self._write("PUT", f"/orders/{order_id}", request)

    def cancel(self, order_id: int) -> Outcome:
        """Cancel a pending order: Cancelled, or Rejected(ORDER_DOESNT_EXIST) when it no longer pends."""
        return self._write("PUT", f"/orders/{order_id}/cancel", {}, outcomes.from_cancel)

    def pending_orders(self) -> list[BrokerOrder]:
        """List the orders that wait, exits of open trades included."""
        path = f"{self._account}/pendingOrders"
        return self._get(path, None, lambda body: [wire.order(item) for item in body["orders"]])

    # -- trades and positions

    def close_trade(self, trade_id: int, units: Decimal | None = None) -> Outcome:
        """Close a trade whole (units None) or by `units`. Rejected(TRADE_DOESNT_EXIST) when it is closed already."""
        return self._write("PUT", f"/trades/{trade_id}/close", orders.close_request(units))

    def change_exits(
        self,
        trade: BrokerTrade,
        *,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing_stop: Decimal | None = None,
    ) -> Outcome:
        """Set a trade's stop, target or trailing distance; None leaves one as it is, 0 removes it.

        Resting carries the id of the (first) new exit order, Cancelled that of the exit taken off.
        """
        instrument = self._instrument(trade.instrument)
        if isinstance(instrument, Rejected):
            return instrument
        request = orders.exits_request(instrument, trade.units, stop_loss, take_profit, trailing_stop)
        return self._write("PUT", f"/trades/{trade.trade_id}/orders", request, outcomes.from_exits)

    def mark_trade(self, trade_id: int, *, client_id: str, tag: str, comment: str) -> Outcome:
        """Write a name, a tag and a comment on an open trade. Resting carries the trade's id."""
        body = {"clientExtensions": {"id": client_id, "tag": tag, "comment": comment}}
        return self._write("PUT", f"/trades/{trade_id}/clientExtensions", body, outcomes.from_mark)

    def open_trades(self) -> list[BrokerTrade]:
        """List the open trades with their exits."""
        return self._get(f"{self._account}/openTrades", None, lambda body: [wire.trade(t) for t in body["trades"]])

    def trades(
        self,
        *,
        state: str = "OPEN",
        instrument: str | None = None,
        count: int | None = None,
        before_id: int | None = None,
    ) -> list[BrokerTrade]:
        """List trades by state (OPEN, CLOSED, CLOSE_WHEN_TRADEABLE, ALL), newest first, at most 500 a page."""
        given = {"state": state, "instrument": instrument, "count": count, "beforeID": before_id}
        params = {key: value for key, value in given.items() if value is not None}
        return self._get(f"{self._account}/trades", params, lambda body: [wire.trade(t) for t in body["trades"]])

    def trade(self, trade_id: int) -> BrokerTrade:
        """Read a trade, open or closed. Raises BrokerNotFound."""
        return self._get(f"{self._account}/trades/{trade_id}", None, lambda body: wire.trade(body["trade"]))

    def trade_of(self, client_id: str) -> BrokerTrade:
        """Read a trade by the client id of the order that opened it. Raises BrokerNotFound."""
        specifier = quote(f"@{client_id}", safe="@")
        return self._get(f"{self._account}/trades/{specifier}", None, lambda body: wire.trade(body["trade"]))

    def positions(self, *, open_only: bool = True) -> list[Position]:
        """List the open positions, or those of every instrument ever traded."""
        path = f"{self._account}/{'openPositions' if open_only else 'positions'}"
        return self._get(path, None, lambda body: [wire.position(item) for item in body["positions"]])

    def position(self, instrument: str) -> Position:
        """Read an instrument's position. Raises BrokerNotFound when it was never traded."""
        path = f"{self._account}/positions/{quote(instrument)}"
        return self._get(path, None, lambda body: wire.position(body["position"]))

    # -- transactions

    def transaction(self, transaction_id: int) -> Transaction:
        """Read one entry of the account's record. Raises BrokerNotFound."""
        path = f"{self._account}/transactions/{transaction_id}"
        return self._get(path, None, lambda body: record.transaction(body["transaction"]))

    def transactions_since(self, transaction_id: int) -> Transactions:
        """Read all transactions after an id. Fewer than `last_id` promises when the broker's record lags."""
        found: dict[int, Transaction] = {}
        seen = transaction_id
        while True:
            params = {"id": seen}
            page = self._get(f"{self._account}/transactions/sinceid", params, wire.transactions)
            new = [item for item in page.items if item.id > seen]
            found |= {item.id: item for item in new}
            seen = new[-1].id if new else seen
            if not new or seen >= page.last_id:
                return Transactions(tuple(found.values()), max(page.last_id, seen))

    def transactions_between(self, first_id: int, last_id: int) -> Transactions:
        """Read the transactions of an id range, both ends included."""
        found: list[Transaction] = []
        newest = last_id
        for start in range(first_id, last_id + 1, _MAX_PAGE):
            params = {"from": start, "to": min(start + _MAX_PAGE - 1, last_id)}
            page = self._get(f"{self._account}/transactions/idrange", params, wire.transactions)
            found += page.items
            newest = page.last_id
        return Transactions(tuple(found), newest)

    def transaction_history(
        self, start: datetime, end: datetime | None = None, *, types: Sequence[str] = ()
    ) -> Iterator[Transaction]:
        """Yield the transactions of a time span, oldest first, read page by page."""
        params: dict[str, str | int] = {"from": format_time(start, self._datetime_format), "pageSize": _MAX_PAGE}
        if end is not None:
            params["to"] = format_time(end, self._datetime_format)
        if types:
            params["type"] = ",".join(types)
        for page in self._get(f"{self._account}/transactions", params, lambda body: list(body["pages"])):
            yield from self._get(self._own_address(page), None, wire.transactions).items

    def resolve(self, client_id: str, since_id: int) -> Outcome:
        """Look once for an order among the transactions after `since_id`.

        Unknown(NOT_FOUND) when they do not hold it, Unknown(INCOMPLETE) when ids are missing among them.
        """
        found = self.transactions_since(since_id)
        outcome = self._parse("transactions", lambda: outcomes.from_transactions(client_id, found.items))
        if outcome == Unknown(outcomes.NOT_FOUND) and not found.complete_since(since_id):
            return Unknown(outcomes.INCOMPLETE)
        return outcome

    def resolve_close(self, trade_id: int, since_id: int) -> Outcome:
        """Look once for what closed or reduced a trade after `since_id`, whoever asked; Unknown as for `resolve`."""
        found = self.transactions_since(since_id)
        outcome = self._parse("transactions", lambda: outcomes.close_from_transactions(trade_id, found.items))
        if outcome == Unknown(outcomes.NOT_FOUND) and not found.complete_since(since_id):
            return Unknown(outcomes.INCOMPLETE)
        return outcome

    # -- streams

    def open_price_stream(self, instruments: Sequence[str]) -> StreamConnection:
        """Open the pricing stream; a snapshot of every instrument comes first."""
        return self._transport.stream(f"{self._account}/pricing/stream", {"instruments": ",".join(instruments)})

    def open_transaction_stream(self) -> StreamConnection:
        """Open the transaction stream. It replays nothing: read `transactions_since` once it is open."""
        return self._transport.stream(f"{self._account}/transactions/stream")

    def event_feed(self, instruments: Sequence[str], after_id: int, events: EventSink) -> EventFeed:
        """Make the threads that read both streams (see the port)."""
        return Feed(self, instruments, after_id, events)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    # -- shared

    def _instrument(self, name: str) -> Instrument | Rejected:
        known = self._instruments.get(name)
        if known is not None:
            return known
        try:
            self.instruments([name])
            return self._instruments[name]
        except (BrokerError, KeyError) as error:
            return Rejected(outcomes.NOT_SENT, f"the terms of {name} cannot be read, nothing was sent: {error}")

    def _write(
        self,
        method: str,
        path: str,
        body: dict[str, Any],
        read: Callable[[int, bytes], Outcome] = outcomes.from_answer,
    ) -> Outcome:
        try:
            answer: Answer = self._transport.write(method, f"{self._account}{path}", body)
        except NotSent as error:
            return Rejected(outcomes.NOT_SENT, f"nothing was sent: {error}")
        except Lost as error:
            return Unknown(str(error))
        return read(answer.status, answer.content)

    def _get(self, path: str, params: dict[str, Any] | None, read: Callable[[dict[str, Any]], T]) -> T:
        body = self._transport.get(path, params)
        return self._parse(f"GET {path}", lambda: read(body))

    @staticmethod
    def _parse(what: str, read: Callable[[], T]) -> T:
        try:
            return read()
        except (KeyError, ValueError, TypeError, AttributeError, InvalidOperation) as error:
            raise BrokerError(f"OANDA's answer cannot be read ({what}): {type(error).__name__} {error}") from error

    def _own_address(self, url: str) -> str:
        """A page's address on our own host: behind a proxy or a tunnel the broker's name for itself may not lead back.

        The query is kept as it came, since it is the broker's.
        """
        return f"/accounts/{url.split('/accounts/', 1)[1]}" if "/accounts/" in url else url


def _ceil(moment: datetime) -> int:
    return -int(-moment.timestamp() // 1)


if TYPE_CHECKING:
    _conforms: type[Broker] = OandaClient

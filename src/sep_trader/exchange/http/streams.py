"""The two streams: prices conflated per connection, transactions as they happen, and heartbeats in exchange time."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Protocol

import orjson

from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.http.call import Call
from sep_trader.exchange.http.wire import conversions_body, price_body
from sep_trader.exchange.market.figures import SECOND, time_text

CONFLATION = SECOND // 4
HEARTBEAT = 5 * SECOND
# However fast exchange time runs, a connection is not written to more often than this (wall clock, seconds).
_WRITE_EVERY = 0.02
_HEARTBEAT_EVERY = 0.05


class Pulse(Protocol):
    """What paces a stream."""

    closing: bool

    @property
    def speed(self) -> float:
        """How fast exchange time runs."""


class Prices:
    """Encoded prices, one encoding for all connections."""

    def __init__(self) -> None:
        self._encoded: dict[str, tuple[int, bytes]] = {}

    def line(self, call: Call, name: str) -> bytes:
        """The current price of an instrument as a line."""
        book = call.floor.books[name]
        cached = self._encoded.get(name)
        if cached is None or cached[0] != book.version:
            cached = self._encoded[name] = (book.version, orjson.dumps(price_body(book)) + b"\n")
        return cached[1]


class Beat:
    """Decides when the next heartbeat is due: five seconds of exchange time or of real time, whichever comes first."""

    def __init__(self, now: int) -> None:
        self.sent(now)

    def sent(self, now: int) -> None:
        """Note that one was sent."""
        self._at, self._wall = now, time.monotonic()

    def due(self, now: int) -> bool:
        """Whether one should be sent now."""
        passed = time.monotonic() - self._wall
        return passed >= HEARTBEAT / SECOND or (now - self._at >= HEARTBEAT and passed >= _HEARTBEAT_EVERY)


def pause(pulse: Pulse) -> float:
    """How long (s) a stream rests between writes: a quarter of a second of exchange time, within bounds."""
    if pulse.speed <= 0:
        return _WRITE_EVERY
    return max(CONFLATION / SECOND / max(pulse.speed, 1.0), _WRITE_EVERY)


async def price_stream(call: Call, prices: Prices, pulse: Pulse) -> AsyncIterator[bytes]:
    """Lines of PRICE and HEARTBEAT: a snapshot first, then the newest price of what has changed."""
    names, floor = call.instruments(), call.floor
    snapshot = call.flag("snapshot", True)
    conversions = call.flag("includeHomeConversions", False)
    seen = {name: 0 if snapshot else floor.books[name].version for name in names}
    beat = Beat(call.now)
    yield b"".join(_fresh(call, prices, seen, conversions)) or heartbeat(call.now)
    while not pulse.closing:
        await asyncio.sleep(pause(pulse))
        lines = _fresh(call, prices, seen, conversions)
        if beat.due(call.now):
            beat.sent(call.now)
            lines.append(heartbeat(call.now))
        if lines:
            yield b"".join(lines)


def _fresh(call: Call, prices: Prices, seen: dict[str, int], conversions: bool) -> list[bytes]:
    lines = []
    for name, version in seen.items():
        book = call.floor.books[name]
        if book.version != version and book.known:
            seen[name] = book.version
            if conversions:
                body = {**price_body(book), "homeConversions": conversions_body(call.floor, call.account, [name])}
                lines.append(orjson.dumps(body) + b"\n")
            else:
                lines.append(prices.line(call, name))
    return lines


def heartbeat(now: int, last: int | None = None) -> bytes:
    """A HEARTBEAT line; with the last transaction id on the transaction stream."""
    body = {"type": "HEARTBEAT", "time": time_text(now)}
    if last is not None:
        body = {"type": "HEARTBEAT", "lastTransactionID": str(last), "time": time_text(now)}
    return orjson.dumps(body) + b"\n"


class TransactionFeed:
    """Wakes the transaction streams of an account when something is recorded."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}

    def listener(self, account: Account, batch: Batch, encoded: list[bytes]) -> None:
        """To be called after each commit."""
        for event in self._events.get(account.id, ()):
            event.set()

    async def stream(self, call: Call, pulse: Pulse) -> AsyncIterator[bytes]:
        """Lines of transactions and HEARTBEAT, from now on."""
        record, event = call.account.record, asyncio.Event()
        self._events.setdefault(call.account.id, set()).add(event)
        try:
            last, beat = record.last, Beat(call.now)
            yield heartbeat(call.now, last)
            while not pulse.closing:
                try:
                    async with asyncio.timeout(pause(pulse)):
                        await event.wait()
                except TimeoutError:
                    pass
                event.clear()
                lines = [line + b"\n" for line in record.between(last + 1, record.last)]
                last = record.last
                if beat.due(call.now):
                    beat.sent(call.now)
                    lines.append(heartbeat(call.now, last))
                if lines:
                    yield b"".join(lines)
        finally:
            self._events[call.account.id].discard(event)

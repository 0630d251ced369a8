"""What faults do to answers and streams: rewriting, breaking off, holding back."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import orjson

from sep_trader.exchange.http.faults import Rule
from sep_trader.exchange.market.figures import SECOND, read_time, time_text

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Struck = dict[str, Rule]
STAMP = re.compile(rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z"')
_STALE_SECONDS = 60.0
_FOREVER = 86_400.0
BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Transport(Protocol):
    """The connection under a request."""

    def abort(self) -> None:
        """Break it off at once."""


def shift_times(encoded: bytes, seconds: float) -> bytes:
    """Shift every time in an answer."""

    def shift(found: re.Match[bytes]) -> bytes:
        ns = read_time(found[0].decode().strip('"')) or 0
        return f'"{time_text(ns + int(seconds * SECOND))}"'.encode()

    return STAMP.sub(shift, encoded)


def alter_price(price: dict[str, Any], struck: Struck) -> None:
    """Make a PRICE stale or empty."""
    if (rule := struck.get("stale_price")) and rule.instrument in (None, price["instrument"]):
        ns = read_time(price["time"]) or 0
        price["time"] = time_text(ns - int((rule.seconds or _STALE_SECONDS) * SECOND))
    if (rule := struck.get("empty_book")) and rule.instrument in (None, price["instrument"]):
        price |= {"bids": [], "asks": [], "tradeable": False, "status": "non-tradeable"}


def alter_answer(encoded: bytes, struck: Struck) -> bytes:
    """Apply to an answer's body what the faults struck do to its content."""
    if "stale_price" in struck or "empty_book" in struck:
        body = orjson.loads(encoded)
        for price in body.get("prices", ()) if isinstance(body, dict) else ():
            alter_price(price, struck)
        encoded = orjson.dumps(body)
    if rule := struck.get("clock_skew"):
        encoded = shift_times(encoded, rule.seconds)
    return encoded


async def alter_stream(lines: AsyncIterator[bytes], struck: Struck) -> AsyncIterator[bytes]:
    """Apply to a stream what the faults struck do to it; it may stall for good or end in the middle of a line."""
    first = True
    async for part in lines:
        kept = []
        for line in part.splitlines(keepends=True):
            beat = b'"type":"HEARTBEAT"' in line
            if "heartbeats_only" in struck and not beat:
                continue
            if not beat and ("stale_price" in struck or "empty_book" in struck):
                price = orjson.loads(line)
                if price.get("type") == "PRICE":
                    alter_price(price, struck)
                line = orjson.dumps(price) + b"\n"
            kept.append(line)
        out = b"".join(kept)
        if rule := struck.get("clock_skew"):
            out = shift_times(out, rule.seconds)
        if out:
            if "truncated" in struck and not first:
                yield out[: max(len(out) // 2, 1)]
                raise ConnectionAbortedError
            yield out
        if first and (rule := struck.get("stall")):
            await asyncio.sleep(rule.seconds or _FOREVER)
        first = False


async def hold(rule: Rule, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    """Say nothing for the rule's seconds, or until the client goes away."""
    try:
        async with asyncio.timeout(rule.seconds or _FOREVER):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return

"""Does what ought to trade trade? The trader, its switch, streams, exits and signals, by what the tables say."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from sep_trader.market.calendar import is_open
from sep_trader.ops.expected import Expected
from sep_trader.ops.finding import Finding, Severity
from sep_trader.risk.protections import Protection
from sep_trader.states import ComponentState, TradingState
from sep_trader.store.database import Connection
from sep_trader.store.queries import Row, queries

TRADER_SILENCE = timedelta(minutes=2)
STREAM_SILENCE_S = 60.0
_STARTS = 3
"""Starts within ten minutes that are a loop."""
RESTORES = frozenset({"sep backup restore", "deployment"})
"""Who halts after a restore, until a person has looked."""
_INSTALLATION = "installation"
"""Who set the switch before a person ever did."""


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """What the trader last reported."""

    updated_at: datetime
    state: ComponentState
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SetSwitch:
    """The switch and who set it."""

    state: TradingState
    reason: str
    changed_by: str
    changed_at: datetime

    @property
    def by_program(self) -> bool:
        """Whether no person set it."""
        return self.changed_by in {*(str(one) for one in Protection), *RESTORES}


@dataclass(frozen=True, slots=True)
class SeenAccount:
    """What the broker showed of an account in the trader's last pass; money in its currency."""

    account_id: str
    currency: str | None
    environment: str | None
    balance: Decimal
    nav: Decimal
    open_pl: Decimal
    margin_used: Decimal
    margin_available: Decimal
    nav_high: Decimal
    day_pl: Decimal
    week_pl: Decimal
    seen_at: datetime
    age_s: float
    open_trades: int


def of_tables(connection: Connection, now: datetime, expected: Expected, signals_h: int) -> Iterator[Finding]:
    """Ask everything that the tables can answer. signals_h: open hours after which signals are missed; 0: never."""
    trader = sign_of_life(connection)
    switch = queries.only(connection, "trading_state", SetSwitch)
    trades = queries.many(connection, "open_trades", Row)
    wanted = _wanted(expected, switch, trades)
    yield of_trader(trader, wanted, expected, now)
    yield _of_restarts(connection, now, expected)
    yield of_switch(switch)
    open_now = bool(is_open(np.array([int(now.timestamp())], np.int64))[0])
    if trader is not None and _is_heard(trader, now):
        yield from of_streams(trader.details)
    if open_now:
        yield from of_trades(trades, now)
        if switch.state is TradingState.ACTIVE and signals_h:
            yield from _of_signals(connection, now, signals_h)
    yield from _of_accounts(seen_accounts(connection), wanted)


def _is_heard(trader: SignOfLife, now: datetime) -> bool:
    return trader.state is ComponentState.RUNNING and now - trader.updated_at <= TRADER_SILENCE


def sign_of_life(connection: Connection) -> SignOfLife | None:
    """What the trader last reported; None where none ever ran here."""
    return queries.one(connection, "trader_sign_of_life", SignOfLife)


def seen_accounts(connection: Connection) -> list[SeenAccount]:
    """The accounts that a trader ever saw."""
    return queries.many(connection, "seen_accounts", SeenAccount)


def _wanted(expected: Expected, switch: SetSwitch, trades: list[dict[str, Any]]) -> str | None:
    """Why a trader must run here; None where none must."""
    if expected.trader:
        return expected.why
    if trades:
        return f"{len(trades)} trades are open, and nobody watches their horizon"
    return f"trading is {switch.state}" if expected.trader is None and switch.state is not TradingState.HALTED else None


def of_trader(trader: SignOfLife | None, wanted: str | None, expected: Expected, now: datetime) -> Finding:
    """Is the trader heard, where one must run?"""
    if trader is None:
        told = "no trader has ever run here"
    else:
        told = f"{trader.state}, heard {ago((now - trader.updated_at).total_seconds())} ago"
    alive = trader is not None and _is_heard(trader, now)
    if alive or wanted is None:
        return Finding("trader", True, told, None if alive else Severity.INFO)
    if expected.is_fresh(now):
        return Finding("trader", True, f"{told}; this machine was deployed or booted just now", Severity.INFO)
    return Finding("trader", False, f"{told}, though it ought to run: {wanted}", Severity.CRITICAL)


def of_switch(switch: SetSwitch) -> Finding:
    """Did anybody but a person turn trading down?"""
    told = f"trading is {switch.state}: {switch.reason} (by {switch.changed_by})"
    if switch.state is TradingState.ACTIVE:
        return Finding("switch", True, told)
    if switch.changed_by == _INSTALLATION:
        return Finding("switch", True, told, Severity.INFO)
    grave = Severity.CRITICAL if switch.state is TradingState.HALTED else Severity.WARNING
    return Finding("switch", not switch.by_program, told, grave if switch.by_program else Severity.WARNING)


def of_streams(details: dict[str, Any]) -> Iterator[Finding]:
    """Are both streams there, and does the broker's heartbeat come?"""
    lost: dict[str, float] = details.get("streams_lost_s") or {}
    gone = [f"{name} for {ago(age)}" for name, age in sorted(lost.items()) if age > STREAM_SILENCE_S]
    silent = details.get("stream_age_s")
    if gone:
        yield Finding("streams", False, f"lost: {', '.join(gone)}")
    elif silent is not None and silent > STREAM_SILENCE_S:
        yield Finding("streams", False, f"nothing was heard on them for {ago(silent)}")
    else:
        yield Finding("streams", True, "heard")


def of_trades(trades: list[dict[str, Any]], now: datetime) -> Iterator[Finding]:
    """Has a trade of ours outlived its horizon, or lost its stop, while the market is open?"""
    overdue = [t for t in trades if t["horizon_at"] is not None and now - t["horizon_at"] > TRADER_SILENCE]
    text = ", ".join(f"trade {t['trade_id']} of {t['pair']} since {t['horizon_at']:%m-%d %H:%M} UTC" for t in overdue)
    yield Finding(
        "horizon", not overdue, text or "no trade is past its horizon", Severity.CRITICAL if overdue else None
    )
    bare = [t for t in trades if t["seen"] and t["stop_price"] is None]
    text = ", ".join(f"trade {t['trade_id']} of {t['pair']}" for t in bare)
    yield Finding("stop", not bare, text or "every trade of ours has its stop", Severity.CRITICAL if bare else None)


def _of_restarts(connection: Connection, now: datetime, expected: Expected) -> Finding:
    """How often it began of itself: a boot and a deployment are no fault of its own."""
    since = max(now - timedelta(minutes=10), expected.begun_at or now - timedelta(minutes=10))
    starts = queries.value(connection, "trader_starts", int, since=since)
    told = f"the trader began {starts} times within {ago((now - since).total_seconds())}"
    return Finding("restarts", starts < _STARTS, told, Severity.CRITICAL if starts >= _STARTS else None)


def _of_signals(connection: Connection, now: datetime, most_h: int) -> Iterator[Finding]:
    newest = queries.only(connection, "signals_arriving", Row)
    if not newest["pairs"]:
        return
    # Counted from the later of the last signal and the day on which somebody could first expect one.
    since = max(t for t in (newest["signal"], newest["enabled_at"]) if t is not None)
    hours = np.arange(int(since.timestamp()), int(now.timestamp()), 3_600, dtype=np.int64)
    missed = int(is_open(hours).sum())
    told = (
        f"the newest came {ago((now - since).total_seconds())} ago, {missed} open hours" if newest["signal"] else "none"
    )
    yield Finding("signals", missed <= most_h, f"{told}; {newest['pairs']} pairs may trade")


def _of_accounts(accounts: list[SeenAccount], wanted: str | None) -> Iterator[Finding]:
    for one in accounts:
        told = f"account {one.account_id} was last seen {ago(one.age_s)} ago"
        fresh = one.age_s <= TRADER_SILENCE.total_seconds()
        yield Finding("account", fresh or wanted is None, told, None if fresh or wanted else Severity.INFO)


def ago(seconds: float) -> str:
    """An age as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"

"""The whole state of a simulated day as values: exchange, the trader's process, judges and tables.

`freeze` takes it, `thaw` puts it back: that is how every way on from a state is tried on the real program.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sep_trader.exchange.accounts.triggers import Triggers
from sep_trader.execution.trader import Trader
from sep_trader.simulation.audit import day_queries, read_audit
from sep_trader.simulation.world import World

_EXCHANGE = ("_block", "_played", "_slice", "_tape_end", "_cutoff", "_change", "_next_event", "quotes")
_BOOK = ("bid", "ask", "time", "tradeable", "version", "empty")
_BROKER_CLOCK = ("_base", "_base_at", "_doubt", "_doubt_at", "_confirmed_at", "_confirmations")
_OBSERVER = ("_terms", "_last_account", "_reads_s", "lock_pid", "lock_held")
_EXECUTOR = ("_seen_at", "_seen", "lock_pid")
_TRADER = ("memory", "_touched", "_status_at", "_begun", "_failures", "stands_at")
_JUDGE = frozenset({"floor", "account", "limits", "tag"})
_LIVENESS = frozenset({"world"})
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frozen:
    """A state: the tables as JSON, everything else pickled; and what the explorer adds."""

    tables: str
    parts: bytes


def freeze(world: World, extra: Mapping[str, Any]) -> Frozen:
    """Take the state. extra: what belongs to it and is kept elsewhere."""
    floor, trader = world.floor, world.trader
    parts = {
        "account": world.account,
        "expiries": floor.expiries,
        "sequence": floor._sequence,
        "floor_now": floor.now,
        "books": {name: _taken(book, _BOOK) for name, book in floor.books.items()},
        "exchange": _taken(world.exchange, _EXCHANGE),
        "requests": world.app._requests,
        "clock": world.clock.monotonic(),
        "judge": _fields(world.judge, _JUDGE),
        "liveness": _fields(world.liveness, _LIVENESS),
        "trader": None if trader is None else _process(trader),
        "world": (world.number, world.holder, world.passes),
        "before": world.wire._before,
        "extra": dict(extra),
    }
    tables = day_queries.value(world.stack.auditor, "dump_day", str)
    return Frozen(tables, pickle.dumps(parts, pickle.HIGHEST_PROTOCOL))


def thaw(world: World, frozen: Frozen) -> dict[str, Any]:
    """Put a state back; returns what was added to it."""
    parts = pickle.loads(frozen.parts)  # noqa: S301 - our own bytes
    auditor = world.stack.auditor
    world.stack.empty()
    day_queries.execute(auditor, "restore_day", tables=frozen.tables)
    floor, account = world.floor, parts["account"]
    world.account = world.judge.account = floor.accounts[account.id] = account
    world.app.tokens = dict.fromkeys(world.app.tokens, (account,))
    floor.triggers = {name: Triggers() for name in floor.instruments}
    for order in account.pending.values():  # they know an order by its place in memory
        floor.triggers[order.instrument].add(order)
    floor.expiries, floor._sequence = parts["expiries"], parts["sequence"]
    floor.now = parts["floor_now"]
    for name, values in parts["books"].items():
        _put(floor.books[name], values)
    _put(world.exchange, parts["exchange"])
    world.app._requests = parts["requests"]
    world.clock.set(parts["clock"])
    _put(world.judge, parts["judge"])
    _put(world.liveness, parts["liveness"])
    world.number, world.holder, world.passes = parts["world"]
    world.wire._before = parts["before"]
    world.settle_process(parts["trader"] is not None)
    if parts["trader"] is not None and world.trader is not None:
        _revive(world.trader, parts["trader"], world.stack.holders[0].info.backend_pid)
    world.audit = read_audit(auditor)
    return dict(parts["extra"])


def _process(trader: Trader) -> dict[str, Fields]:
    """What a trader's process holds in memory."""
    limiter = trader._broker._transport.requests  # type: ignore[attr-defined]
    return {
        "trader": _taken(trader, _TRADER),
        "clock": _taken(trader.broker_clock, _BROKER_CLOCK),
        "observer": _taken(trader._observer, _OBSERVER),
        "executor": _taken(trader._executor, _EXECUTOR),
        "client": {"_instruments": trader._broker._instruments},  # type: ignore[attr-defined]
        "limiter": {"_slots": limiter._slots, "_not_before": limiter._not_before},
    }


def _revive(trader: Trader, parts: dict[str, Fields], holder: int) -> None:
    """Put a process's memory back. holder: the session here that holds the lock; the state may come from elsewhere."""
    for name in ("observer", "executor"):
        if parts[name]["lock_pid"] is not None:
            parts[name]["lock_pid"] = holder
    _put(trader, parts["trader"])
    _put(trader.broker_clock, parts["clock"])
    _put(trader._observer, parts["observer"])
    trader._observer._last = None
    _put(trader._executor, parts["executor"])
    _put(trader._broker, parts["client"])
    _put(trader._broker._transport.requests, parts["limiter"])  # type: ignore[attr-defined]


def _taken(thing: object, names: tuple[str, ...]) -> Fields:
    return {name: getattr(thing, name) for name in names}


def _fields(thing: Any, without: frozenset[str]) -> Fields:
    return {field.name: getattr(thing, field.name) for field in fields(thing) if field.name not in without}


def _put(thing: object, values: Fields) -> None:
    for name, value in values.items():
        setattr(thing, name, value)

"""Put an exchange together from its settings: source, clock, floor, accounts, and what an earlier run remembered."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from sep_trader.errors import InputError
from sep_trader.exchange.accounts.account import Account, open_account
from sep_trader.exchange.accounts.floor import STANDARD_POLICY, Floor, Policy
from sep_trader.exchange.accounts.state import Remembered, StateFile, recall, restore
from sep_trader.exchange.http.app import ExchangeApp
from sep_trader.exchange.http.clock import Clock, LiveClock, ReplayClock, SteppedClock
from sep_trader.exchange.http.faults import Faults
from sep_trader.exchange.http.pacer import Pacer
from sep_trader.exchange.market.figures import SECOND
from sep_trader.exchange.market.recorded import RecordedQuotes
from sep_trader.exchange.market.seeded import SeededMarket
from sep_trader.exchange.market.sessions import Sessions
from sep_trader.exchange.market.tape import ChunkSource, Tape
from sep_trader.exchange.market.terms import PAIRS, offered
from sep_trader.exchange.matching.exchange import Exchange

# Monday 2026-01-05T00:00:00Z: where a seeded market starts when nothing else is said.
BEGINNING = 1_767_571_200 * SECOND
_HOUR = 3600
# A live exchange that was down for longer takes up the market an hour ago: stops that old are filled then.
_CATCH_UP = _HOUR * SECOND


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """Everything an exchange is built from. Times in ns; `start` None takes the source's beginning."""

    tokens: Sequence[str]
    accounts: Sequence[str]
    port: int = 0
    host: str = "127.0.0.1"
    data: Sequence[Path] = ()
    start: int | None = None
    speed: float = 1.0
    clock: str = "replay"
    seed: int = 7
    balance: Decimal = Decimal(100_000)
    currency: str = "USD"
    hedging: bool = False
    fifo: bool = False
    skip_closed: bool = True
    policy: Policy = STANDARD_POLICY
    instruments: Sequence[str] = ()
    per_second: float = 1.0
    """Quotes a second and instrument of a seeded market."""
    edge: float = 0.0
    """A planted edge of a seeded market."""
    state: Path | None = None
    """File that keeps the accounts."""


def build(settings: ExchangeSettings) -> ExchangeApp:
    """An application ready to serve. Raises InputError for settings that make no exchange."""
    policy = settings.policy
    if settings.clock == "live":
        policy = replace(policy, sessions=Sessions(always=True))
    memory = None if settings.state is None else recall(settings.state)
    source, start = _source(settings, policy.sessions, memory)
    anchor = start
    if memory is not None:
        start = max(memory.now, start - _CATCH_UP) if settings.clock == "live" else memory.now
    floor = Floor({name: offered(name) for name in source.instruments}, policy)
    exchange = Exchange(floor, Tape(source), start)
    journal = None
    if settings.state is not None:
        header = {"start": anchor, "anchor": _anchor(anchor), "seed": settings.seed}
        journal = StateFile(settings.state, header, fresh=memory is None)
        floor.listeners.append(journal.listener)
    accounts = [_account(settings, name, floor, memory) for name in settings.accounts]
    for account in accounts:
        exchange.add_account(account)
    skip = settings.skip_closed and settings.clock == "replay"
    pacer = Pacer(exchange, _clock(settings, start), Faults(settings.seed), skip_closed=skip, journal=journal)
    return ExchangeApp(pacer, _tokens(settings, accounts))


def _clock(settings: ExchangeSettings, start: int) -> Clock:
    if settings.clock == "live":
        return LiveClock()
    return SteppedClock(start) if settings.clock == "stepped" else ReplayClock(start, settings.speed)


def _anchor(start: int) -> int:
    return start // SECOND // _HOUR * _HOUR


def _source(settings: ExchangeSettings, sessions: Sessions, memory: Remembered | None) -> tuple[ChunkSource, int]:
    """Where quotes come from, and the exchange time (ns) to begin at."""
    if settings.data:
        if settings.clock == "live":
            raise InputError("a live clock cannot replay recorded quotes", "leave out --data, or --clock live")
        recorded = RecordedQuotes(list(settings.data), list(settings.instruments) or None)
        return recorded, recorded.first_second * SECOND if settings.start is None else settings.start
    start = BEGINNING if settings.start is None else settings.start
    if settings.clock == "live":
        start = time.time_ns()
    anchor = _anchor(start)
    if memory is not None:
        if memory.header["seed"] != settings.seed:
            raise InputError(
                f"{settings.state} was kept with seed {memory.header['seed']}, not {settings.seed}",
                "give the same --seed",
            )
        anchor = memory.header["anchor"]
    pairs = list(settings.instruments) or PAIRS
    market = SeededMarket(
        settings.seed, anchor, pairs, sessions=sessions, per_second=settings.per_second, edge=settings.edge
    )
    return market, start


def _account(settings: ExchangeSettings, name: str, floor: Floor, memory: Remembered | None) -> Account:
    if memory is not None and name in memory.accounts:
        return restore(floor, name, memory.accounts[name])
    account = Account(name, settings.currency, hedging=settings.hedging, fifo=settings.fifo)
    floor.commit(open_account(account, settings.balance, floor.now))
    return account


def _tokens(settings: ExchangeSettings, accounts: list[Account]) -> dict[str, tuple[Account, ...]]:
    """One token opens every account; several tokens go with the accounts in order."""
    if len(settings.tokens) == 1:
        return {settings.tokens[0]: tuple(accounts)}
    if len(settings.tokens) != len(accounts):
        raise InputError(
            f"{len(settings.tokens)} tokens for {len(accounts)} accounts", "give one token for all, or one for each"
        )
    opened: dict[str, tuple[Account, ...]] = {}
    for token, account in zip(settings.tokens, accounts, strict=True):
        opened[token] = (*opened.get(token, ()), account)
    return opened

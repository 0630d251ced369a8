"""The campaign: the programs as real processes, faults of machines and networks, and the books at the end.

A run trades for some seconds while what its seed says goes wrong; then everything is mended, and within a while books
and broker must be the same. Time at the exchange runs twenty times as fast as here.
"""

import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from sep_trader.exchange import witness
from sep_trader.market.clock import parse_rfc3339
from sep_trader.risk.protections import Protection
from sep_trader.signals.job import insert_signals
from sep_trader.simulation.audit import Audit, day_queries, read_audit
from sep_trader.simulation.market import PAIRS
from sep_trader.simulation.programs import SEP, Program, Server, exchange
from sep_trader.simulation.proxy import Proxy
from sep_trader.simulation.server import temporary_database
from sep_trader.simulation.settled import Disagrees, check
from sep_trader.simulation.stack import made_signal
from sep_trader.states import TradingState
from sep_trader.store.database import PINNED

_ACCOUNT, _TOKEN = "101-001-0000001-001", "campaign"
_SPEED = 20
_OPTIONS = {
    "token": _TOKEN, "account": _ACCOUNT, "clock": "replay", "speed": str(_SPEED), "hours": "always",
    "start": "2026-01-06T09:00:00Z", "instruments": "EUR_USD,USD_JPY", "rate": "0.5",
}  # fmt: skip
_TRADES_S = 14.0
_SETTLES_S = 90.0
_SIGNALS = 5
_BEGINNING = 2
"""The entries with which an account begins."""
_DAY_S = 86_400

FAULTS = {
    "trader_killed": "SIGKILL to the trader, which is started again",
    "trader_stopped": "SIGSTOP to the trader for some seconds",
    "trader_restarted": "SIGTERM to the trader, which is started again",
    "connections_cut": "every connection to the exchange breaks",
    "connections_refused": "nothing connects to the exchange for some seconds",
    "network_swallows": "what is sent arrives nowhere for some seconds",
    "answers_lost": "requests arrive, and connections break before their answers",
    "network_slow": "each packet takes most of a second",
    "database_killed": "SIGKILL to PostgreSQL, which is started again",
    "database_stopped": "SIGSTOP to PostgreSQL for some seconds",
    "disk_full": "no file of PostgreSQL may grow for some seconds",
    "exchange_killed": "the exchange dies and comes back with its memory",
    "exchange_anew": "the exchange dies and comes back without any memory",
    "clock_stepped": "the broker's clock is a day ahead for some seconds",
    "second_trader": "a second trader is started on the database",
}
"""What happens to machines and networks."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a run. faults: second, and what happened. violation: the invariant and words; None for none."""

    seed: int
    faults: tuple[tuple[float, str], ...]
    trades: int
    seconds: float
    violation: tuple[str, str] | None = None


@dataclass(slots=True)
class _Place:
    """One run's programs."""

    server: Server
    url: str
    folder: Path
    seed: int
    exchange_port: int
    exchange: Program
    proxy: Proxy
    trader: Program
    chance: random.Random
    anew: bool = False
    """Whether the account has begun anew."""
    problem: tuple[str, str] | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def exchange_url(self) -> str:
        """Where the exchange itself is, past the proxy."""
        return f"http://127.0.0.1:{self.exchange_port}"


def run(server: Server, template: str, seed: int, folder: Path) -> Ran:
    """One run of a seed, on a server of its own."""
    begun = time.monotonic()
    chance = random.Random(f"campaign {seed}")  # noqa: S311 - faults, not secrets
    kinds = sorted(set(FAULTS) - {"exchange_anew"})
    plan = sorted((chance.uniform(1.0, _TRADES_S - 1.0), chance.choice(kinds)) for _ in range(3))
    if seed % 10 == 0:  # after it the account is another one: it comes last, and seldom
        plan.append((_TRADES_S - 0.5, "exchange_anew"))
    with _placed(server, template, seed, folder, chance) as place:
        supervisor = threading.Thread(target=_supervise, args=(place,), daemon=True)
        supervisor.start()
        signals = threading.Thread(target=_send_signals, args=(place,), daemon=True)
        signals.start()
        for at, kind in plan:
            time.sleep(max(0.0, begun + at - time.monotonic()))
            getattr(_Faults(place), kind)()
        time.sleep(max(0.0, begun + _TRADES_S - time.monotonic()))
        signals.join()
        violation = place.problem or _settled(place)
        trades = _filled(place)
        place.ended.set()
        supervisor.join()
    return Ran(seed, tuple((round(at, 1), kind) for at, kind in plan), trades, time.monotonic() - begun, violation)


@contextmanager
def _placed(server: Server, template: str, seed: int, folder: Path, chance: random.Random) -> Iterator[_Place]:
    """The programs of a run, ended with it."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        url = stack.enter_context(temporary_database(server.url, template))
        port = _free_port()
        market = exchange(port, seed, folder / "state", folder / "exchange.log", _OPTIONS)
        stack.callback(lambda: place.exchange.kill())
        proxy = Proxy(port)
        stack.callback(proxy.close)
        trader = Program([*SEP, "trade", "run", "--poll", "0.2"], _environment(url, proxy.port), folder / "trader.log")
        trader.start()
        stack.callback(trader.kill)
        stack.callback(lambda: server.fill(False))
        stack.callback(lambda: server.signal(signal.SIGCONT))
        place = _Place(server, url, folder, seed, port, market, proxy, trader, chance)
        yield place


def _environment(url: str, port: int) -> dict[str, str]:
    address = f"http://127.0.0.1:{port}"
    return {
        "SEP_DATABASE_URL": url, "OANDA_ENVIRONMENT": "custom", "OANDA_API_URL": address, "OANDA_STREAM_URL": address,
        "OANDA_API_KEY": _TOKEN, "OANDA_ACCOUNT_ID": _ACCOUNT, "SEP_CLOCK_TOLERANCE_S": "2000",
        "SEP_PRICE_MAX_AGE_S": "600", "SEP_MAX_OPEN_TRADES": "5",
    }  # fmt: skip


def _supervise(place: _Place) -> None:
    """Start the trader again where it has ended, as a service manager does."""
    while not place.ended.wait(0.5):
        if not place.trader.running:
            place.trader.start()


class _Faults:
    """What happens, by its name in FAULTS."""

    def __init__(self, place: _Place) -> None:
        self._place = place

    def _for_a_while(self, begin: Callable[[], object], end: Callable[[], object]) -> None:
        begin()
        time.sleep(self._place.chance.uniform(1.0, 4.0))
        end()

    def _mode(self, mode: Any) -> None:
        proxy = self._place.proxy

        def begin() -> None:
            proxy.mode = mode
            if mode == "refuse":
                proxy.cut()

        def end() -> None:
            proxy.mode = "pass"
            proxy.cut()

        self._for_a_while(begin, end)

    def trader_killed(self) -> None:
        self._place.trader.kill()

    def trader_stopped(self) -> None:
        trader = self._place.trader
        self._for_a_while(lambda: trader.signal(signal.SIGSTOP), lambda: trader.signal(signal.SIGCONT))

    def trader_restarted(self) -> None:
        self._place.trader.end()

    def connections_cut(self) -> None:
        self._place.proxy.cut()

    def connections_refused(self) -> None:
        self._mode("refuse")

    def network_swallows(self) -> None:
        self._mode("swallow")

    def answers_lost(self) -> None:
        self._mode("lose_answers")

    def network_slow(self) -> None:
        self._mode("slow")

    def database_killed(self) -> None:
        self._for_a_while(self._place.server.kill, self._place.server.start)

    def database_stopped(self) -> None:
        server = self._place.server
        self._for_a_while(lambda: server.signal(signal.SIGSTOP), lambda: server.signal(signal.SIGCONT))

    def disk_full(self) -> None:
        server = self._place.server

        def end() -> None:
            server.fill(False)
            server.start()

        self._for_a_while(lambda: server.fill(True), end)

    def exchange_killed(self) -> None:
        self._exchange_again(self._place.folder / "state")

    def exchange_anew(self) -> None:
        self._place.anew = True
        self._exchange_again(self._place.folder / "anew")

    def _exchange_again(self, state: Path) -> None:
        place = self._place
        place.exchange.kill()
        time.sleep(place.chance.uniform(0.2, 2.0))
        log = place.folder / f"exchange-{time.monotonic_ns()}.log"
        place.exchange = exchange(place.exchange_port, place.seed, state, log, _OPTIONS)

    def clock_stepped(self) -> None:
        url = f"{self._place.exchange_url}/_exchange/faults"
        rule = {"kind": "clock_skew", "route": "GET pricing", "seconds": _DAY_S}  # what it tells of its own clock
        self._for_a_while(lambda: httpx.post(url, json=rule), lambda: httpx.delete(url))

    def second_trader(self) -> None:
        place = self._place
        environment = _environment(place.url, place.proxy.port)
        second = Program([*SEP, "trade", "run", "--poll", "0.2"], environment, place.folder / "second.log")
        second.start()
        time.sleep(place.chance.uniform(2.0, 4.0))
        second.kill()


def _send_signals(place: _Place) -> None:
    """Signals of the newest complete minute at the exchange, at random moments."""
    for _ in range(_SIGNALS):
        time.sleep(place.chance.uniform(0.5, 2.5))
        with suppress(httpx.HTTPError, psycopg.Error):
            _send_signal(place)


def _send_signal(place: _Place) -> None:
    candle = _now(place).replace(second=0, microsecond=0) - timedelta(minutes=1)
    chance = place.chance
    signal_ = made_signal(
        chance.choice(PAIRS),
        candle,
        side=chance.choice((-1, 1)),
        stop_pips=chance.choice((15, 30)),
        target_pips=40,
        horizon=timedelta(minutes=chance.choice((1, 2, 3))),
        expires=timedelta(minutes=4),
    )
    with psycopg.connect(place.url, row_factory=dict_row, connect_timeout=2, **PINNED) as connection:
        insert_signals(connection, [signal_])


def _settled(place: _Place) -> tuple[str, str] | None:
    """Wait until everything has come together; what has not is the violation."""
    until, last = time.monotonic() + _SETTLES_S, ("Q0", "nothing could be read")
    while time.monotonic() < until:
        time.sleep(1.0)
        try:
            with psycopg.connect(place.url, row_factory=dict_row, connect_timeout=2, **PINNED) as connection:
                audit = read_audit(connection)
            if place.anew:
                _noticed(audit)
            else:
                record = witness.recorded(_asked(place, "transactions/sinceid?id=0"))
                trades = witness.held(_asked(place, witness.OPEN_TRADES))
                check(audit, record, trades, _balance(place), _now(place))
            return None
        except Disagrees as error:
            last = (error.invariant, error.text)
        except (httpx.HTTPError, psycopg.Error) as error:
            last = ("Q0", f"{type(error).__name__}: {error}")
    return last


def _now(place: _Place) -> datetime:
    return parse_rfc3339(httpx.get(f"{place.exchange_url}/_exchange/now", timeout=5).json()["now"])


def _noticed(audit: Audit) -> None:
    """An account that has begun anew, after something of the one before was booked, halts."""
    traded = audit.booked is not None and audit.booked > _BEGINNING
    if traded and (audit.state, audit.changed_by) != (TradingState.HALTED, str(Protection.NEW_ACCOUNT)):
        raise Disagrees("Q4", f"the account has begun anew, and the switch is {audit.state} by {audit.changed_by}")


def _balance(place: _Place) -> Decimal:
    state = httpx.get(f"{place.exchange_url}/_exchange/state", timeout=5).json()
    return Decimal(state["accounts"][_ACCOUNT]["balance"])


def _asked(place: _Place, address: str) -> dict[str, Any]:
    """What the exchange itself answers, past the proxy."""
    url = f"{place.exchange_url}/v3/accounts/{_ACCOUNT}/{address}"
    return dict(httpx.get(url, headers={"Authorization": f"Bearer {_TOKEN}"}, timeout=5).json())


def _filled(place: _Place) -> int:
    with psycopg.connect(place.url, row_factory=dict_row, connect_timeout=5, **PINNED) as connection:
        return day_queries.value(connection, "trades_made", int)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])

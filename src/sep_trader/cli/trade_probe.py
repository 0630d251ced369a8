"""`sep trade probe`: one small test trade through the whole path, each step told as it happens."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from psycopg.types.json import Jsonb

from sep_trader.broker.port import Broker
from sep_trader.cli import render
from sep_trader.cli.log_lines import log_to_stderr
from sep_trader.cli.options import Json
from sep_trader.cli.trade_run import trader_settings
from sep_trader.cli.wiring import open_broker, open_database
from sep_trader.errors import InputError, NotAllowed, SepError
from sep_trader.execution.clocks import ClockRules
from sep_trader.execution.decide import up_to_tick
from sep_trader.execution.fence import Fence
from sep_trader.execution.rows import ProbeProgress
from sep_trader.execution.trader import Trader
from sep_trader.market.instrument import parse_pair
from sep_trader.settings import OandaEnvironment, Settings, load_settings
from sep_trader.states import ExecutionStatus, Origin, SignalStatus
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

_MINUTE = timedelta(minutes=1)
_VALID = timedelta(minutes=2)
_EVERY_S = 0.1
_SIDES = {"buy": 1, "sell": -1}
_STATEMENTS_S = 2.0


def probe(
    pair: Annotated[str, typer.Argument(help="The pair, as EUR_USD.")],
    side: Annotated[str, typer.Option("--side", help="buy or sell.")],
    stop_pips: Annotated[float, typer.Option("--stop-pips", min=0.1, help="Stop distance from the fill.")],
    horizon: Annotated[int, typer.Option("--horizon", min=1, help="Minutes after which it is closed.")] = 1,
    units: Annotated[int, typer.Option("--units", min=1, help="Its size.")] = 100,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds beyond its horizon to wait for.")] = 60.0,
    json: Json = False,
) -> None:
    """Send one small test trade through the whole path, on a practice or simulated account, and report each step."""
    settings = load_settings()
    log_to_stderr("warning")
    if settings.oanda_environment is OandaEnvironment.LIVE:
        raise NotAllowed("a probe trades, and this is a live account", "set OANDA_ENVIRONMENT=practice")
    if side not in _SIDES:
        raise InputError(f"--side is '{side}'", "buy or sell")
    name = parse_pair(pair)
    steps: list[dict[str, Any]] = []
    begun = time.monotonic()

    def step(what: str, text: str) -> None:
        steps.append({"step": what, "text": text, "after_s": round(time.monotonic() - begun, 3)})
        if not json:
            render.console.print(f"{steps[-1]['after_s']:8.3f} s  [bold]{what:<9}[/] {text}")

    with (
        open_broker(settings) as broker,
        open_database(settings) as database,
        _trader_runs(settings, broker, database, step),
    ):
        signal_id = _write(broker, database, name, _SIDES[side], Decimal(str(stop_pips)), horizon, units)
        step("signal", f"written: {side} {units} {name}, stop {stop_pips:g} pips, closed after {horizon} min")
        end = time.monotonic() + horizon * 60 + timeout
        ok = _follow(database, signal_id, end, step)
    if json:
        render.print_json({"pair": name, "signal_id": signal_id, "ok": ok, "steps": steps})
    if not ok:
        raise SepError("the probe did not come to its end", steps[-1]["text"])


def _write(
    broker: Broker, database: Database, pair: str, side: int, stop_pips: Decimal, horizon: int, units: int
) -> UUID:
    """Write the probe's signal, by the broker's clock."""
    instrument = broker.instruments([pair])[0]
    now = broker.pricing([pair]).time
    candle = now.replace(second=0, microsecond=0) - _MINUTE
    signal_id = uuid4()
    with database.transaction() as connection:
        queries.execute(
            connection,
            "insert_hand_signal",
            id=signal_id,
            pair=pair,
            granularity="M1",
            candle_time=candle,
            side=side,
            metrics=Jsonb({}),
            stop_distance=up_to_tick(stop_pips * instrument.pip, instrument),
            # Counted from the end of a candle that ended up to a minute ago: the person means from now.
            horizon=now - candle - _MINUTE + timedelta(minutes=horizon),
            expires_at=now + min(_VALID, timedelta(minutes=horizon)),
            origin=Origin.PROBE,
            max_units=units,
            status=SignalStatus.NEW,
            reason_code=None,
            reason=None,
            decided_at=None,
        )
    return signal_id


def _follow(database: Database, signal_id: UUID, end: float, step: Callable[[str, str], None]) -> bool:
    """Tell each step once; true when the trade was opened, protected, closed and booked."""
    told: set[str] = set()

    def tell(what: str, text: str) -> None:
        if what not in told:
            told.add(what)
            step(what, text)

    while time.monotonic() < end:
        with database.transaction() as connection:
            now = queries.only(connection, "probe_progress", ProbeProgress, id=signal_id)
        if now.status in (SignalStatus.REFUSED, SignalStatus.EXPIRED):
            tell("refused", f"{now.reason_code}: {now.reason}")
            return False
        if now.order_status is not None:
            tell("intent", f"committed, expected at {now.expected_price}")
        if now.order_status is ExecutionStatus.UNKNOWN:
            tell("unknown", "the order's answer was lost: it is looked for")
        if now.trade_id is not None:
            tell("filled", f"trade {now.trade_id}: {now.units} at {now.entry_price}")
        if now.seen and now.standing_stop is not None:
            tell("protected", f"the broker shows its stop at {now.standing_stop}")
        if now.order_status is ExecutionStatus.CLOSED:
            tell("closed", f"{now.exit_reason} at {now.exit_price}")
            tell("booked", f"net {now.net_pl:+}")
            return True
        time.sleep(_EVERY_S)
    step("timeout", "the probe's time is over")
    return False


@contextmanager
def _trader_runs(
    settings: Settings, broker: Broker, database: Database, step: Callable[[str, str], None]
) -> Iterator[None]:
    """Leave it to the running trader; where none runs, run one here until the probe has ended."""
    fence = Fence(database)
    if fence.take() is None:
        step("trader", "a trader runs on this database: it does the work")
        yield
        return
    fence.close()
    step("trader", "none runs on this database: this command runs one until the probe has ended")
    stopping = threading.Event()
    own = Database(database.url, timeout_s=_STATEMENTS_S, deadline_s=_STATEMENTS_S)
    trader = Trader(
        own, broker, trader_settings(settings, 0.5),
        clock_rules=ClockRules(tolerance_s=settings.clock_tolerance_s), take_lock=fence.take,
    )  # fmt: skip
    thread = threading.Thread(target=trader.run, args=(stopping.is_set,), name="trader", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        trader.wake.call()
        thread.join(10)
        trader.close()
        fence.close()
        own.close()

"""The health check on a real database: every state that costs money is an alarm, and none that is meant is one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from sep_trader.execution import switch
from sep_trader.ops.expected import NO_UNITS, Expected
from sep_trader.ops.finding import Finding
from sep_trader.ops.health import Questions, examine
from sep_trader.states import TradingState
from sep_trader.store.database import Connection, Database
from sep_trader.store.logs import Log

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
"""A Wednesday: the market is open."""
SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
UNIT = Expected(True, "its unit is enabled, and a token is there")
NO_TOKEN = Expected(False, "there is no broker token")
JUST_DEPLOYED = Expected(True, UNIT.why, NOW - timedelta(minutes=1))


def asked(database: Database, expected: Expected = UNIT, now: datetime = NOW, hours: int = 24) -> dict[str, Finding]:
    """The findings by their names."""
    found = examine(lambda: Database(database.url, max_size=1), Questions(signals_h=hours), now=now, expected=expected)
    assert found[0].ok, found[0]
    return {one.alert: one for one in found}


@pytest.fixture
def change(database: Database) -> Callable[..., None]:
    """Run statements on the database."""

    def run(*statements: tuple[str, list[Any]]) -> None:
        with database.transaction() as connection:
            for statement, values in statements:
                connection.execute(statement, values)

    return run


def report(database: Database, state: str, silent: timedelta, **details: object) -> None:
    """Let the trader have said so, some time ago."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM component_status")
        connection.execute(
            "INSERT INTO component_status (component, state, updated_at, details) VALUES ('trader', %s, %s, %s)",
            [state, NOW - silent, Jsonb(details)],
        )


def turn(database: Database, state: TradingState, by: str = "Ann") -> None:
    with database.transaction() as connection:
        switch.turn(connection, state, by=by, why="a test")


@pytest.mark.parametrize(
    ("state", "silent", "expected", "ok"),
    [
        ("running", timedelta(seconds=100), UNIT, True),
        ("running", timedelta(minutes=3), UNIT, False),
        ("failed", timedelta(0), UNIT, False),
        ("stopped", timedelta(days=30), UNIT, False),
        ("starting", timedelta(days=30), UNIT, False),
        ("stopped", timedelta(days=30), NO_TOKEN, True),
        ("stopped", timedelta(seconds=5), JUST_DEPLOYED, True),
        # Without units the switch says what is wanted: it is ACTIVE here.
        ("stopped", timedelta(days=30), NO_UNITS, False),
        ("running", timedelta(seconds=5), NO_UNITS, True),
    ],
)  # fmt: skip
def test_the_trader(database: Database, state: str, silent: timedelta, expected: Expected, ok: bool) -> None:
    turn(database, TradingState.ACTIVE)
    report(database, state, silent)
    found = asked(database, expected)["trader"]
    assert found.ok is ok, found


def test_one_that_never_ran_is_missed_where_it_ought_to_run(database: Database) -> None:
    assert not asked(database)["trader"].ok
    # Nobody has turned anything on: this is somebody's laptop.
    assert asked(database, NO_UNITS)["trader"].ok


def test_a_loop_of_starts(database: Database) -> None:
    for _ in range(2):
        with database.transaction() as connection:
            Log("trader").write(connection, "trader_started", "account 1")
    now = datetime.now(UTC)
    assert asked(database, now=now)["restarts"].ok
    with database.transaction() as connection:
        Log("trader").write(connection, "trader_started", "account 1")
    assert not asked(database, now=now)["restarts"].ok
    assert asked(database, now=now + timedelta(minutes=11))["restarts"].ok
    # A boot in between begins the count anew.
    assert asked(database, Expected(True, UNIT.why, now + timedelta(seconds=1)), now + timedelta(minutes=6))[
        "restarts"
    ].ok


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
@pytest.mark.parametrize(
    ("by", "ok"),
    [("Ann", True), ("balance difference", False), ("daily loss limit", False), ("sep backup restore", False)],
)
def test_the_switch_that_no_person_turned(database: Database, state: TradingState, by: str, ok: bool) -> None:
    turn(database, state, by)
    assert asked(database)["switch"].ok is ok


@pytest.mark.parametrize(
    ("details", "ok"),
    [
        ({"streams": {"prices": True, "transactions": True}, "streams_lost_s": {}, "stream_age_s": 4.0}, True),
        ({"streams_lost_s": {"prices": 20.0}, "stream_age_s": 1.0}, True),
        ({"streams_lost_s": {"prices": 80.0}, "stream_age_s": 1.0}, False),
        ({"streams_lost_s": {}, "stream_age_s": 200.0}, False),
    ],
)
def test_the_streams(database: Database, details: dict[str, object], ok: bool) -> None:
    report(database, "running", timedelta(seconds=1), **details)
    assert asked(database)["streams"].ok is ok


def insert_signal(connection: Connection) -> UUID:
    """A signal by hand: no model stands behind it."""
    signal = uuid4()
    connection.execute(
        "INSERT INTO trading_signals (id, pair, origin, granularity, candle_time, side, confidence, metrics,"
        " stop_distance, horizon, expires_at)"
        " VALUES (%s, 'EUR_USD', 'probe', 'M1', %s, -1, 0.5, '{}', 0.0020, '30 min', %s)",
        [signal, NOW, NOW],
    )
    return signal


def open_trade(connection: Connection, *, horizon_at: datetime, stop: str | None) -> None:
    """A trade of ours that the broker shows."""
    signal = insert_signal(connection)
    connection.execute(
        "INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, open_units, intent_time,"
        " intent_transaction_id, expected_price, trade_id, entry_time, entry_price, horizon_at, stop_distance) VALUES"
        " (%s, 'A', 'EUR_USD', %s, 'OPEN', -1000, -1000, now(), 1, 1.1, 7, now(), 1.1000, %s, 0.0020)",
        [signal, f"sep-{signal.hex}", horizon_at],
    )
    shown = {"trade_id": 7, "pair": "EUR_USD", "units": "-1000", "price": "1.1000", "stop_price": stop,
             "unrealized_pl": "1.00", "current_price": "1.0990", "owner": "ours"}  # fmt: skip
    connection.execute(
        "INSERT INTO broker_accounts (account_id, seen_at, transaction_id, balance, nav, margin_used, margin_available,"
        " nav_high, day, day_nav, week, week_nav, trades) VALUES ('A', %s, 1, 100, 101, 5, 96, 101, '2026-11-25', 100,"
        " '2026-11-23', 100, %s)",
        [NOW, Jsonb([shown])],
    )


def test_a_trade_past_its_horizon_or_without_its_stop(database: Database, change: Callable[..., None]) -> None:
    with database.transaction() as connection:
        open_trade(connection, horizon_at=NOW + timedelta(minutes=5), stop="1.1020")
    fine = asked(database)
    assert (fine["horizon"].ok, fine["stop"].ok) == (True, True)
    later = NOW + timedelta(minutes=8)
    assert not asked(database, now=later)["horizon"].ok
    change(("UPDATE broker_accounts SET trades = jsonb_set(trades, '{0,stop_price}', 'null')", []))
    assert not asked(database)["stop"].ok
    # While the market is closed nothing can be closed.
    assert "horizon" not in asked(database, now=SUNDAY + timedelta(days=7))


def test_an_open_trade_with_nobody_at_its_horizon(database: Database) -> None:
    turn(database, TradingState.HALTED)
    report(database, "stopped", timedelta(seconds=18))
    with database.transaction() as connection:
        open_trade(connection, horizon_at=NOW + timedelta(minutes=5), stop="1.1020")
    found = asked(database, NO_UNITS)["trader"]
    assert (found.ok, "1 trades are open" in found.detail) == (False, True)


def test_an_open_trade_is_shown_in_pips_and_in_its_risk(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO instruments (name, pip_location, display_precision) VALUES ('EUR_USD', -4, 5)"
                           " ON CONFLICT DO NOTHING")  # fmt: skip
        open_trade(connection, horizon_at=NOW, stop="1.1020")
        row = connection.execute("SELECT unrealized_pl, pips, r FROM v_open_trades").fetchone()
    # Sold at 1.1000, bought back at 1.0990: 10 pips, half of the stop's 20.
    assert row is not None
    assert [str(row[k]) for k in ("unrealized_pl", "pips", "r")] == ["1.00", "10.0", "0.50"]


def test_signals_that_no_longer_arrive(database: Database, change: Callable[..., None]) -> None:
    turn(database, TradingState.ACTIVE)
    assert "signals" not in asked(database), "no pair may trade"
    with database.transaction() as connection:
        insert_signal(connection)
    change(
        ("UPDATE trading_signals SET created_at = %s", [NOW - timedelta(hours=23)]),
        ("SET LOCAL session_replication_role = replica", []),  # its run is not what this is about
        (
            "INSERT INTO models (id, pair, granularity, run_id, artifact)"
            " VALUES ('m', 'EUR_USD', 'M1', gen_random_uuid(), '{}')",
            [],
        ),
        (
            "INSERT INTO trading_pairs (pair, enabled, model_id, verdict, enabled_at)"
            " VALUES ('EUR_USD', true, 'm', 'READY', %s)",
            [NOW - timedelta(days=9)],
        ),
    )
    assert asked(database)["signals"].ok
    assert not asked(database, now=NOW + timedelta(hours=3))["signals"].ok
    assert "signals" not in asked(database, now=NOW + timedelta(hours=3), hours=0)
    # A weekend is no silence: Friday noon to Monday noon has fewer than 29 open hours.
    change(("UPDATE trading_signals SET created_at = %s", [datetime(2026, 11, 20, 20, 0, tzinfo=UTC)]))
    assert asked(database, now=datetime(2026, 11, 23, 18, 0, tzinfo=UTC))["signals"].ok


def test_a_server_that_is_away_is_a_finding(tmp_path: Path) -> None:
    away = f"postgresql:///x?host={tmp_path}"
    found = examine(lambda: Database(away, max_size=1), Questions(tmp_path, tmp_path), now=datetime.now(UTC))
    assert {f.alert: f.ok for f in found} == {"database": False, "backup": False, "disk": True, "disk_root": True}


def test_a_manifest_that_cannot_be_read_is_a_finding(database: Database, tmp_path: Path) -> None:
    (tmp_path / "sep_trading_20260101.manifest.json").write_text("{")
    found = examine(lambda: Database(database.url, max_size=1), Questions(tmp_path), now=datetime.now(UTC))
    (detail,) = (f.detail for f in found if f.alert == "backup" and not f.ok)
    assert "sep_trading_20260101.manifest.json is no manifest" in detail

"""The nightly statement: a day that the real trader lived, held against the broker's candles of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from sep_trader.broker.oanda.client import OandaClient
from sep_trader.errors import InputError
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.research.artifact import Model
from sep_trader.simulation.nightly import Stated, make_statements, span_of
from sep_trader.simulation.replay import Replay, Span, recorded
from sep_trader.simulation.server import temporary_database, temporary_server
from sep_trader.store.database import Database
from tests.simulation.test_replay import WIDE

DAY = date(2014, 5, 14)
RISK = Decimal("0.005")


@dataclass
class Lived:
    """A database in which a day was traded, and the broker of that day."""

    url: str
    broker: OandaClient

    def stated(self) -> list[Stated]:
        with Database(self.url) as database:
            return make_statements(database, self.broker, DAY, risk_per_trade=RISK)

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(statement.encode())

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture(scope="module")
def lived(data_dir: Path) -> Iterator[Lived]:
    """The fourteenth of May 2014, tick by tick."""
    begin, end = parse_rfc3339("2014-05-13T20:00:00Z"), parse_rfc3339("2014-05-14T22:00:00Z")
    span = Span(data_dir / "lean-oanda" / "tick", Model("EUR_USD", Granularity.M1, WIDE, "0" * 64), begin, end)
    source = recorded(span.folder, "EUR_USD")
    with temporary_server() as server, temporary_database(server) as url:
        replay = Replay(url, span, source, lambda moment: None)
        replay.run()
        yield Lived(url, replay._client())


def test_the_day_was_the_backtest(lived: Lived) -> None:
    (one,) = lived.stated()
    found = one.statement
    assert found.differing == ()
    assert found.decisions == found.decisions_identical > 50
    assert found.trades == found.identical > 5
    assert found.money.residual == 0
    assert found.money.live == sum(r["net_pl"] for r in lived.rows(_ENDED))
    (kept,) = lived.rows("SELECT * FROM live_statements")
    assert (kept["day"], kept["decisions"], kept["live"]) == (DAY, found.decisions, found.money.live)
    explained = sum(Decimal(amount) for amount in kept["parts"].values())
    assert abs(explained - (kept["live"] - kept["backtest"])) <= Decimal("0.001")


_BEGIN, _END = (moment - timedelta(minutes=1) for moment in span_of(DAY))
_ENDED = (
    "SELECT e.net_pl FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id WHERE e.status = 'CLOSED'"
    f" AND s.candle_time >= '{_BEGIN}' AND s.candle_time < '{_END}'"
)


def test_a_signal_that_is_missing_and_one_that_was_changed_are_found_and_told(lived: Lived) -> None:
    span = f"candle_time >= '{_BEGIN}' AND candle_time < '{_END}'"
    refused = f"(SELECT id FROM trading_signals WHERE status = 'REFUSED' AND {span} ORDER BY candle_time LIMIT 1)"
    moved = f"(SELECT id FROM trading_signals WHERE status = 'REFUSED' AND {span} ORDER BY candle_time DESC LIMIT 1)"
    lived.execute(f"CREATE TABLE kept AS SELECT * FROM trading_signals WHERE id IN ({refused}, {moved})")
    lived.execute(f"UPDATE trading_signals SET stop_distance = stop_distance * 2 WHERE id = {moved}")
    lived.execute(f"DELETE FROM trading_signals WHERE id = {refused}")
    try:
        (one,) = lived.stated()
        assert one.statement.decisions - one.statement.decisions_identical == 2
        assert "there was no signal" in one.statement.differing[0]
        assert "the signal had" in one.statement.differing[1]
        (told,) = lived.rows("SELECT level, message FROM system_logs WHERE event = 'decisions_differ'")
        assert told["level"] == "error" and "2 of" in told["message"]
    finally:
        lived.execute("DELETE FROM trading_signals s USING kept k WHERE s.id = k.id")
        lived.execute("INSERT INTO trading_signals SELECT * FROM kept")


def test_a_day_that_is_not_over_is_refused(lived: Lived) -> None:
    with Database(lived.url) as database, pytest.raises(InputError, match="not over"):
        make_statements(database, lived.broker, date(2014, 5, 15), risk_per_trade=RISK)


def test_a_broker_day_begins_and_ends_at_five_in_the_afternoon_of_new_york() -> None:
    assert [f"{moment:%m-%d %H:%M}" for moment in span_of(DAY)] == ["05-13 21:00", "05-14 21:00"]
    assert [f"{moment:%m-%d %H:%M}" for moment in span_of(date(2014, 1, 15))] == ["01-14 22:00", "01-15 22:00"]

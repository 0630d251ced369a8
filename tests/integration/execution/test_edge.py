"""The promised edge is watched on closed trades; where it is gone the pair is disabled, and nothing brings it back but
evidence."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sep_trader.execution.books import read_books
from sep_trader.execution.edge import outcomes_of, watch_edge
from sep_trader.market.clock import from_epoch
from sep_trader.store.database import Connection, Database
from sep_trader.store.logs import Log
from sep_trader.store.queries import Row, queries

BEGUN = datetime(2026, 1, 5, tzinfo=UTC)


def model_of(connection: Connection) -> str:
    """A model that the pair and its signals name."""
    connection.execute(
        "INSERT INTO research_runs (id, pair, granularity, first_candle, last_candle, candles, data_hash, "
        "code_version, settings, seed, trials, verdict, reason, evidence) VALUES ("
        "'00000000-0000-4000-8000-000000000001', 'EUR_USD', 'M1', now(), now(), 1, 'h', 'c', '{}', 1, 1, 'READY', "
        "'proven', '{}')"
    )
    connection.execute(
        "INSERT INTO models (id, pair, granularity, run_id, artifact) VALUES ('m', 'EUR_USD', 'M1', "
        "'00000000-0000-4000-8000-000000000001', '{}')"
    )
    return "m"


def ready(connection: Connection, override: str | None = None) -> None:
    promise = {"edge_r": 0.2, "trades_a_year": 300, "since": BEGUN.isoformat()}
    connection.execute(
        "INSERT INTO trading_pairs (pair, model_id, verdict, verdict_reason, account, enabled, enabled_at, "
        "override_by, override_reason) VALUES ('EUR_USD', %s, 'READY', 'proven', %s, true, now(), %s, %s)",
        (model_of(connection), json.dumps({"promise": promise}), override and "me", override),
    )


def trades(connection: Connection, count: int, pips: float, first: int = 0) -> datetime:
    """Closed trades of a stop of 10 pips that each brought so many pips."""
    at = BEGUN
    for number in range(first, first + count):
        at = BEGUN + timedelta(hours=number)
        (row,) = connection.execute(
            "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, "
            "stop_distance, target_distance, horizon, expires_at, origin, status, reason_code, reason, decided_at) "
            "VALUES (gen_random_uuid(), 'EUR_USD', 'm', 'M1', %s, 1, 1, '{}', 0.001, 0.0015, interval '1 hour', %s, "
            "'model', 'EXECUTED', 'FILLED', 'filled', now()) RETURNING id",
            (at, at + timedelta(hours=1)),
        ).fetchall()
        connection.execute(
            "INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, "
            "intent_transaction_id, expected_price, stop_distance, target_distance, trade_id, entry_time, entry_price, "
            "exit_time, exit_price, exit_reason, gross_pl, financing) VALUES (%s, 'a', 'EUR_USD', %s, 'CLOSED', 1000, "
            "%s, 1, 1.1, 0.001, 0.0015, %s, %s, 1.1, %s, 1.1 + %s, 'STOP_LOSS', %s, -0.01)",
            (row["id"], f"sep-{number}", at, number + 1, at, at + timedelta(minutes=30), pips * 1e-4, pips * 0.1),
        )
    return at


def pair(connection: Connection) -> Row:
    (row,) = connection.execute("SELECT * FROM trading_pairs").fetchall()
    return row


def test_a_lost_edge_disables_the_pair_with_reason_and_alarm(database: Database) -> None:
    with database.transaction() as connection:
        ready(connection)
        when = trades(connection, 40, -10.0)
        assert watch_edge(connection, "EUR_USD", when, Log("trader")), "40 losses in a row are no edge of 0.2 R"
        row = pair(connection)
        assert (row["enabled"], row["verdict"], row["decayed_at"]) == (False, "UNDECIDABLE", when)
        assert row["reasons"] == ["DECAYED"]
        assert "its edge is gone: -1.01 R a trade on 40 live trades, +0.20 R promised" in row["disabled_reason"]
        (log,) = connection.execute("SELECT level, event FROM system_logs").fetchall()
        assert (log["level"], log["event"]) == ("critical", "edge_gone")
        assert not watch_edge(connection, "EUR_USD", when, Log("trader")), "it is told once"


def test_the_promised_edge_stays(database: Database) -> None:
    with database.transaction() as connection:
        ready(connection)
        for number in range(100):
            trades(connection, 1, 15.0 if number % 2 else -10.0, first=number)
        assert not watch_edge(connection, "EUR_USD", BEGUN, Log("trader"))
        assert pair(connection)["enabled"]


def test_an_override_promised_nothing(database: Database) -> None:
    with database.transaction() as connection:
        ready(connection, override="practice")
        when = trades(connection, 40, -10.0)
        assert not watch_edge(connection, "EUR_USD", when, Log("trader"))


def test_outcomes_hold_all_charges(database: Database) -> None:
    with database.transaction() as connection:
        ready(connection)
        trades(connection, 1, 15.0)
        (one,) = outcomes_of(connection, "EUR_USD", from_epoch(0))
        assert one.outcome == pytest.approx(1.5 * (1.5 - 0.01) / 1.5)
        assert one.most == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("value", "override", "enabled"),
    [(280.0, None, True), (13.9, None, False), (0.1, "practice", True), (None, None, True)],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_bundle_enables_no_pair_whose_account_is_worth_too_little(
    database: Database, value: float | None, override: str | None, enabled: bool, known: bool
) -> None:
    with database.transaction() as connection:
        ready(connection)
        account = None if value is None else {"e_value": value, "threshold": 280.0}
        sent = pair(connection) | {"account": account, "override_reason": override, "override_by": override and "me"}
        sent["updated_at"] = datetime.now(UTC) + timedelta(minutes=1)
        if not known:  # a pair that this machine never had
            connection.execute("DELETE FROM trading_pairs")
        queries.execute(connection, "import_pairs", rows=json.dumps([sent], default=str))
        assert pair(connection)["enabled"] is enabled


@pytest.mark.parametrize(
    ("since", "enabled"), [(None, False), ("2026-01-01T00:00:00Z", False), ("2026-02-01T00:00:00Z", True)]
)
def test_no_bundle_brings_it_back_but_one_whose_account_began_after_it(
    database: Database, since: str | None, enabled: bool
) -> None:
    with database.transaction() as connection:
        ready(connection)
        connection.execute("UPDATE trading_pairs SET decayed_at = '2026-01-20T00:00:00Z', enabled = false")
        sent = pair(connection) | {"enabled": True, "decayed_at": None, "account": {"since": since}}
        sent["updated_at"] = datetime.now(UTC) + timedelta(minutes=1)
        queries.execute(connection, "import_pairs", rows=json.dumps([sent], default=str))
        row = pair(connection)
        assert row["enabled"] is enabled
        assert row["decayed_at"] == datetime(2026, 1, 20, tzinfo=UTC)


@pytest.mark.parametrize("promise", [{"edge_r": "much", "since": "2026-01-05"}, {"edge_r": 0.2, "since": "soon"}, 7])
def test_a_promise_that_cannot_be_read_is_told_and_keeps_nothing_from_being_booked(
    database: Database, promise: object
) -> None:
    with database.transaction() as connection:
        ready(connection)
        connection.execute("UPDATE trading_pairs SET account = %s", (json.dumps({"promise": promise}),))
        when = trades(connection, 1, 5.0)
        assert not watch_edge(connection, "EUR_USD", when, Log("trader"))
        connection.execute("SELECT 1")  # the transaction is whole
    with database.transaction() as connection:
        told = connection.execute("SELECT event FROM system_logs").fetchall()
        assert [row["event"] for row in told] == ([] if promise == 7 else ["edge_unwatched"])
        books, _ = read_books(connection, "a", None, None)
        assert books.rights["EUR_USD"].evidence_until is None


def test_a_time_of_evidence_that_is_none_stops_no_pass(database: Database) -> None:
    with database.transaction() as connection:
        ready(connection)
        connection.execute("""UPDATE trading_pairs SET account = '{"candles_until": "yesterday"}'""")
        books, _ = read_books(connection, "a", None, None)
        assert books.rights["EUR_USD"].evidence_until is None

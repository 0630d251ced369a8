"""The way home between two databases on a real server: everything once, and nothing of another machine."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sep_trader.errors import InputError, NotAllowed
from sep_trader.handover.bundle import export_bundle, import_bundle, last_receipt
from sep_trader.handover.format import read_bundle
from sep_trader.handover.results import Receipt, Taken, export_results, receipt_for, take_results
from sep_trader.store.database import Database

from .test_hand_over import NOW, add_signal, keys, source, target

__all__ = ["keys", "source", "target"]

ACCOUNT = "101-001-1-1"
TRADES = "pair, client_id, status, units, entry_price, exit_price, net_pl, financing, exit_reason, updated_at"


@pytest.fixture
def droplet(source: Database, target: Database, keys: dict[str, Path], tmp_path: Path) -> Iterator[Database]:
    """It has the signals of home, has opened a trade, refused a signal, and made a trade of its own."""
    add_signal(source, 2)
    bundle = export_bundle(source, tmp_path, last_receipt(target), key=keys["ours"], now=NOW)
    assert bundle is not None
    import_bundle(target, read_bundle(bundle, keys["signers"], now=NOW))
    run(target, f"""
        UPDATE trading_signals SET status = 'EXECUTED', reason_code = 'OPENED', decided_at = now()
            WHERE id = (SELECT id FROM trading_signals ORDER BY candle_time LIMIT 1);
        UPDATE trading_signals SET status = 'REFUSED', reason_code = 'PAIR_BUSY', decided_at = now()
            WHERE status = 'NEW';
        INSERT INTO trading_signals (id, pair, granularity, candle_time, side, confidence, metrics, stop_distance,
            horizon, expires_at, status, reason_code, decided_at, origin)
        VALUES (gen_random_uuid(), 'USD_JPY', 'M1', now(), -1, 0, '{{}}', 0.5, '1 hour', now(), 'EXECUTED', 'PROBE',
            now(), 'probe');
        INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time,
            intent_transaction_id, expected_price)
        SELECT id, '{ACCOUNT}', pair, id::text, 'INTENT', 1000 * side, now(), 3, 1.1
            FROM trading_signals WHERE status = 'EXECUTED';
        UPDATE trade_executions SET status = 'OPEN', trade_id = 4, entry_price = 1.1, entry_time = now(),
            open_units = 1000 WHERE pair = 'EUR_USD';
        INSERT INTO account_equity
            SELECT '{ACCOUNT}', date_trunc('minute', now()) - n * interval '1 minute', 1000, 1000 + n, 5, 1
            FROM generate_series(1, 3) AS n;
    """)  # fmt: skip
    transactions(target, 1, 4)
    yield target


def run(database: Database, script: str) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(script.encode())


def transactions(database: Database, first: int, last: int) -> None:
    run(database, f"""
        INSERT INTO broker_transactions (account_id, id, time, type, amount, is_profit, balance, raw)
        SELECT '{ACCOUNT}', n, now(), 'ORDER_FILL', 0.1234, true, 1000 + n, jsonb_build_object('id', n::text)
        FROM generate_series({first}, {last}) AS n
    """)  # fmt: skip


def rows(database: Database, query: str) -> list[Any]:
    with psycopg.connect(database.url) as connection:
        return connection.execute(query.encode()).fetchall()


def bring(droplet: Database, home: Database) -> Taken:
    machine = last_receipt(droplet).target
    text = export_results(droplet, receipt_for(home, machine), datetime.now(UTC))
    return take_results(home, text, machine)


def same(droplet: Database, home: Database) -> None:
    """Both tell the same."""
    for query in (
        f"SELECT {TRADES} FROM trade_executions ORDER BY client_id",
        "SELECT * FROM broker_transactions ORDER BY account_id, id",
        "SELECT * FROM account_equity ORDER BY time",
        "SELECT id, status, reason_code, decided_at, origin FROM trading_signals ORDER BY id",
        "SELECT day, pair, trades, wins, net_pl FROM performance_metrics ORDER BY day, pair",
    ):
        assert rows(home, query) == rows(droplet, query), query


def test_what_happened_comes_home_once(droplet: Database, source: Database) -> None:
    first = bring(droplet, source)
    assert (first.transactions, first.executions, first.equity, first.left_out) == (4, 2, 3, 0)
    assert first.signals == 3  # an executed one, a refused one, and the probe
    same(droplet, source)
    again = bring(droplet, source)
    assert (again.transactions, again.executions, again.signals, again.equity) == (0, 0, 0, 0)
    same(droplet, source)


def test_a_trade_that_was_closed_since_is_closed_at_home_and_counted_once(droplet: Database, source: Database) -> None:
    bring(droplet, source)
    run(droplet, """
        UPDATE trade_executions SET status = 'OPEN', trade_id = 5, entry_price = 150, entry_time = now(),
            updated_at = now() WHERE pair = 'USD_JPY';
        UPDATE trade_executions SET status = 'CLOSED', exit_time = now(), exit_price = 1.2, exit_reason = 'TARGET',
            gross_pl = 12.3456, financing = -0.1, updated_at = now();
    """)  # fmt: skip
    transactions(droplet, 5, 9)
    news = bring(droplet, source)
    assert (news.transactions, news.executions) == (5, 2)
    same(droplet, source)
    bring(droplet, source)
    same(droplet, source)


@pytest.mark.parametrize("status", ["UNKNOWN", "GIVEN_UP", "REJECTED"])
def test_orders_that_came_to_nothing_and_those_that_arrived_late(
    droplet: Database, source: Database, status: str
) -> None:
    bring(droplet, source)
    steps = ["UNKNOWN", "GIVEN_UP"] if status == "GIVEN_UP" else [status]
    for step in steps:
        run(droplet, f"UPDATE trade_executions SET status = '{step}', updated_at = now() WHERE pair = 'USD_JPY'")
    bring(droplet, source)
    same(droplet, source)
    run(droplet, """
        UPDATE trade_executions SET status = 'OPEN', late = true, trade_id = 7, entry_price = 150, updated_at = now()
            WHERE pair = 'USD_JPY';
        UPDATE trade_executions SET status = 'CLOSED', exit_time = now(), gross_pl = -3, updated_at = now()
            WHERE pair = 'USD_JPY';
    """)  # fmt: skip
    bring(droplet, source)
    same(droplet, source)


def test_what_the_droplet_decided_is_known_at_home(droplet: Database, source: Database) -> None:
    run(droplet, """
        UPDATE trading_pairs SET enabled = false, latched_at = now(), decayed_at = now(), disabled_reason = 'decay',
            changed_by = 'decay alarm', updated_at = now()
    """)  # fmt: skip
    news = bring(droplet, source)
    assert news.decayed == ["EUR_USD"]
    assert [(one.pair, one.changed_by) for one in news.latched] == [("EUR_USD", "decay alarm")]
    assert rows(source, "SELECT decayed_at FROM trading_pairs") == rows(droplet, "SELECT decayed_at FROM trading_pairs")
    assert bring(droplet, source).decayed == []


def test_a_droplet_that_was_restored_to_earlier_brings_nothing_twice(droplet: Database, source: Database) -> None:
    bring(droplet, source)
    run(droplet, "SET session_replication_role = replica; DELETE FROM broker_transactions WHERE id > 2")
    assert bring(droplet, source).transactions == 0
    # The broker tells it again.
    transactions(droplet, 3, 5)
    assert bring(droplet, source).transactions == 1


@pytest.mark.parametrize(("there", "here"), [("OPEN", "CLOSED"), ("INTENT", "REJECTED"), ("UNKNOWN", "CLOSED")])
def test_home_stays_ahead_of_a_droplet_that_went_back(
    droplet: Database, source: Database, there: str, here: str
) -> None:
    """It was restored to an earlier moment, and lives on: what it says later of an earlier step takes nothing back."""
    bring(droplet, source)
    ends = ["OPEN", "CLOSED"] if here == "CLOSED" else [here]
    for status in ends:
        more = {"OPEN": ", trade_id = 9, entry_price = 150", "CLOSED": ", exit_time = now()"}.get(status, "")
        run(source, f"UPDATE trade_executions SET status = '{status}'{more} WHERE pair = 'USD_JPY'")
    more = ", trade_id = 9, entry_price = 150" if there == "OPEN" else ""
    run(
        droplet,
        "SET session_replication_role = replica; UPDATE trade_executions"
        f" SET status = '{there}'{more}, updated_at = now() + interval '1 minute' WHERE pair = 'USD_JPY'",
    )
    bring(droplet, source)
    assert rows(source, "SELECT status FROM trade_executions WHERE pair = 'USD_JPY'") == [(here,)]


@pytest.mark.parametrize(
    "change",
    ["UPDATE broker_transactions SET raw = '{}' WHERE id = 4", "DELETE FROM broker_transactions WHERE id = 2"],
    ids=["another", "one is gone"],
)
def test_books_that_were_changed_do_not_come_home(droplet: Database, source: Database, change: str) -> None:
    bring(droplet, source)
    run(droplet, f"SET session_replication_role = replica; {change}")
    with pytest.raises(NotAllowed, match=r"results refused, FORKED: transaction 4"):
        bring(droplet, source)


def test_a_transaction_that_home_knows_otherwise_is_refused(droplet: Database, source: Database) -> None:
    transactions(source, 3, 3)
    run(source, "SET session_replication_role = replica; UPDATE broker_transactions SET raw = '{}'")
    with pytest.raises(NotAllowed, match="FORKED: transaction 3"):
        bring(droplet, source)
    assert rows(source, "SELECT count(*) FROM trade_executions") == [(0,)]


def test_orders_of_a_model_that_home_has_lost_are_left_out_and_counted(
    droplet: Database, new_database: Any, tmp_path: Path
) -> None:
    with new_database() as home:
        news = bring(droplet, home)
        assert (news.left_out, news.transactions, news.executions) == (1, 4, 1)


def test_what_is_not_whole_is_refused(droplet: Database, source: Database) -> None:
    machine = last_receipt(droplet).target
    text = export_results(droplet, receipt_for(source, machine), datetime.now(UTC))
    head, body, _ = text.split("\n")
    other = json.loads(head)
    broken = {
        "ALTERED": [text[:-200], head, "", text.replace("0.1234", "9.1234"), text + "x",
                    json.dumps(other | {"counts": other["counts"] | {"equity": 1}}) + f"\n{body}\n"],
        "MALFORMED": ["\n\n", "[]\n[]\n", f"{'[' * 50_000}\n{body}\n",
                      json.dumps(other | {"until": "x"}) + f"\n{body}\n"],
        "WRONG_SOURCE": [json.dumps(other | {"source": "1"}) + f"\n{body}\n"],
    }  # fmt: skip
    for code, texts in broken.items():
        for one in texts:
            with pytest.raises(NotAllowed, match=code):
                take_results(source, one, machine)
    hostile = json.loads(body)
    hostile["equity"][0]["nav"] = "much"
    with pytest.raises(NotAllowed, match="MALFORMED"):
        take_results(source, resealed(other, hostile), machine)
    assert rows(source, "SELECT count(*) FROM broker_transactions") == [(0,)]


def resealed(head: dict[str, Any], body: dict[str, Any]) -> str:
    import hashlib

    text = json.dumps(body)
    return json.dumps(head | {"sha256": hashlib.sha256(text.encode()).hexdigest()}) + f"\n{text}\n"


def test_another_machine_is_not_taken_for_the_one_that_was_asked(droplet: Database) -> None:
    with pytest.raises(InputError, match="the receipt is of 7"):
        export_results(droplet, Receipt("7"), NOW)


def test_the_command(droplet: Database, source: Database, tmp_path: Path) -> None:
    import os
    import sys

    def sep(database: Database, *words: str, given: str = "") -> str:
        environment = os.environ | {"SEP_DATABASE_URL": database.url}
        done = subprocess.run([sys.executable, "-m", "sep_trader", *words], input=given, capture_output=True, text=True,
                              env=environment, check=True)  # fmt: skip
        return done.stdout

    of = tmp_path / "receipt.json"
    of.write_text(json.dumps(asdict(last_receipt(droplet))))
    have = sep(source, "results", "receipt", "--of", str(of))
    (tmp_path / "answer").write_text(sep(droplet, "results", "export", "--receipt", "-", given=have))
    told = sep(source, "results", "import", str(tmp_path / "answer"), "--of", str(of))
    assert told == "home: 2 orders and trades, 4 broker transactions, 3 decided signals, 3 minutes of equity\n"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", "null", "{}", '{"source": "1", "until": "soon", "accounts": {}}',
     '{"source": "1", "until": "2026-01-01T00:00:00", "accounts": {}}',
     '{"source": "1", "until": "2026-01-01T00:00:00Z", "accounts": [1]}',
     '{"source": "1", "until": "2026-01-01T00:00:00Z", "accounts": {"a": 7}}',
     '{"source": "1", "until": "2026-01-01T00:00:00Z", "accounts": {"a": {"transaction": 4}}}',
     '{"source": "1", "until": "2026-01-01T00:00:00Z", "accounts": {"a": {"transaction": 1e30, "hash": ""}}}',
     "[" * 50_000],
)  # fmt: skip
def test_a_receipt_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(InputError, match="this is no receipt of results"):
        Receipt.from_json(text)


def test_a_droplet_that_somebody_took_over_proposes_nothing_at_home(droplet: Database, source: Database) -> None:
    """A signal that waits would be signed at home, and a decay of tomorrow would end every pair."""
    run(droplet, "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time,"
        " side, confidence, metrics, stop_distance, horizon, expires_at) VALUES (gen_random_uuid(),"
        " 'EUR_USD', 'model-1', 'M1', now(), 1, 1, '{}', 0.01, '1 hour', now() + interval '1 hour')")  # fmt: skip
    run(droplet, "INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time,"
        f" intent_transaction_id, expected_price) SELECT id, '{ACCOUNT}', pair, id::text, 'INTENT', 1, now(), 9, 1"
        " FROM trading_signals WHERE status = 'NEW'; UPDATE trading_pairs SET decayed_at = '2099-01-01Z'")  # fmt: skip
    news = bring(droplet, source)
    assert (news.decayed, news.left_out) == ([], 1)
    assert rows(source, "SELECT count(*) FROM trading_signals WHERE status = 'NEW'") == [(0,)]


def test_much_comes_home_in_pieces(droplet: Database, source: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from sep_trader.handover import results

    monkeypatch.setattr(results, "_AT_ONCE", 2)
    monkeypatch.setattr(results, "_OVERLAP", timedelta(0))
    first = bring(droplet, source)
    assert first.more
    assert first.transactions == 2
    for _ in range(5):
        last = bring(droplet, source)
    assert rows(source, "SELECT count(*) FROM broker_transactions") == [(4,)]
    assert rows(source, "SELECT count(*) FROM account_equity") == [(3,)]
    assert last.transactions == 0

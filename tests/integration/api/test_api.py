"""The API over a real database: what it says, how it fails, and that its documentation is complete."""

import re

import httpx
import pytest

from sep_trader.store.database import Database

NEEDS = {"/api/candles": "?pair=EUR_USD", "/api/qfh": "?pair=EUR_USD"}
"""What some routes cannot do without."""


def test_a_new_database_answers_every_route(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/api/status", "/api/performance/daily", "/api/trades/open", "/api/signals/recent", "/api/pairs"} <= set(
        paths
    )
    for path, operations in paths.items():
        if "get" in operations and path != "/api/events":
            assert client.get(path + NEEDS.get(path, "")).status_code == 200, path


def test_the_status_of_a_house_where_nothing_has_happened(client: httpx.Client) -> None:
    status = client.get("/api/status").json()
    assert status["trading_state"]["state"] == "HALTED"
    assert status["broker"] == {
        "connected": False, "account": None, "environment": None, "broker_time": None, "last_transaction_id": None,
    }  # fmt: skip
    assert status["last"] == {"candle": None, "signal": None, "trade": None}
    areas = {area["area"]: area for area in status["storage"]["areas"]}
    assert list(areas) == [
        "candles", "signals", "executions", "configuration", "backups", "raw_cache", "growth_buffer",
    ]  # fmt: skip
    assert areas["candles"]["budget_bytes"] == 25e9
    assert areas["candles"]["level"] == status["storage"]["total"]["level"] == "ok"
    assert (status["open_trades"], status["enabled_pairs"], status["stream_age_s"]) == (0, [], None)


def test_every_operation_and_parameter_is_documented(client: httpx.Client) -> None:
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert operation["tags"], path


POISON = [
    """UPDATE trading_pairs SET account = '{"threshold": "x", "e_value": "NaN", "candles_until": "7"}' WHERE bad""",
    "UPDATE trading_pairs SET account = '5', reasons = '7', judged_at = 'infinity', latched_at = '-infinity' WHERE bad",
    "UPDATE trading_pairs SET verdict = 'MAYBE', enabled_at = 'infinity', updated_at = '20000-01-01Z' WHERE bad",
    "UPDATE models SET artifact = '[]', granularity = 'M7' WHERE bad",
    "UPDATE trading_signals SET stop_distance = 'NaN', target_distance = 'Infinity' WHERE bad",
    "UPDATE trading_signals SET candle_time = '-infinity', expires_at = 'infinity' WHERE bad",
    "UPDATE trading_signals SET horizon = '99999999 years' WHERE bad",
    "UPDATE trade_executions SET entry_price = 'NaN', entry_time = 'infinity' WHERE bad",
]
"""What somebody may have written behind the programs' back."""


@pytest.mark.parametrize("poison", POISON)
def test_a_poisoned_row_blinds_nobody(client: httpx.Client, database: Database, poison: str) -> None:
    """The routes and the overview answer, and show the sound pair."""
    with database.transaction() as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        for table in ("trading_pairs", "trading_signals", "trade_executions"):
            found = connection.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", [table]
            )
            for row in found.fetchall():
                connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {row['conname']}".encode())
        run = "00000000-0000-4000-8000-000000000001"
        connection.execute(
            "INSERT INTO research_runs VALUES (%s, 'EUR_USD', 'M1', now(), now(), 10, 'd', 'v', '{}', 1, 1, 'READY',"
            " 'x', '{}')",
            [run],
        )
        for number, pair in enumerate(("EUR_USD", "USD_JPY")):
            connection.execute("INSERT INTO models VALUES (%s, %s, 'M1', %s, '{}')", [pair, pair, run])
            connection.execute(
                "INSERT INTO trading_pairs (pair, enabled, model_id, verdict) VALUES (%s, true, %s, 'READY')",
                [pair, pair],
            )
            connection.execute(
                "INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics,"
                " stop_distance, horizon, expires_at, status, reason_code, decided_at) VALUES (gen_random_uuid(), %s,"
                " %s, 'M1', now(), 1, 0.5, '{}', 0.01, '1 hour', now(), 'EXECUTED', 'OPENED', now())",
                [pair, pair],
            )
            connection.execute(
                "INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, open_units,"
                " intent_time, intent_transaction_id, expected_price, trade_id, entry_price, entry_time)"
                " SELECT id, '1', pair, id::text, 'OPEN', 1000, 1000, now(), 1, 1.1, %s, 1.1, now()"
                " FROM trading_signals WHERE pair = %s",
                [number, pair],
            )
        connection.execute(poison.replace("WHERE bad", "WHERE pair = 'USD_JPY'").encode())
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        if "get" in operations and path != "/api/events" and "{" not in path:
            assert client.get(path + NEEDS.get(path, "")).status_code == 200, path
    for path in ("/api/pairs", "/api/signals/recent", "/api/trades/open"):
        assert "EUR_USD" in {row["pair"] for row in client.get(path).json()}, path
    from sep_trader.cli.overview import collect

    assert {"EUR_USD"} <= {row["pair"] for row in collect(database)["pairs"]}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/performance/daily?days=0", "greater than or equal to 1"),
        ("/api/signals/recent?pair=EUR_XYZ", "unknown pair 'EUR_XYZ'"),
        ("/api/signals/recent?status=MAYBE", "NEW"),
    ],
)
def test_bad_parameters_are_refused_with_a_reason(client: httpx.Client, path: str, said: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_database_that_went_away_is_a_503_with_one_line(client: httpx.Client, database: Database) -> None:
    assert client.get("/api/pairs").status_code == 200
    database.close()
    answer = client.get("/api/pairs")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "the database does not answer; try again later"


@pytest.mark.parametrize(
    "view", ["", "pairs", "pairs/EUR_USD", "performance", "signals", "trades", "storage", "logs", "changes", "settings"]
)
def test_a_page_loads_nothing_from_elsewhere(client: httpx.Client, view: str) -> None:
    page = client.get(f"/{view}")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text and "https://" not in page.text
    assert "<script>" not in page.text, "the policy forbids scripts in the page"


def test_the_overview_is_small(client: httpx.Client) -> None:
    """With all that it loads, as it travels."""
    page = client.get("/")
    loaded = re.findall(r'(?:src|href)="(/static/[^"?]+)', page.text)
    assert "/static/uPlot.iife.min.js" in loaded and "/static/lightweight-charts.js" not in loaded
    sizes = [int(client.get(path).headers["content-length"]) for path in ["/", *sorted(set(loaded))]]
    assert sum(sizes) < 100_000, sizes

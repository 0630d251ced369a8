"""Real candles in, filled trades and a daily report out: every joint of the system, by the commands a person uses."""

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from tests.support.waiting import wait_until

from sep_trader.store.database import Database

ROOT = Path(__file__).parents[2]
SEP = [sys.executable, "-m", "sep_trader"]
TRAIN_MANAGER = [sys.executable, str(ROOT / "train_manager.py")]
ACCOUNT, TOKEN = "101-001-0000001-001", "test-token"
DAY = "2014-05-15"
STORED = "SELECT 1 FROM v_candles WHERE instrument = 'EUR_USD' AND time >="


def lines_before_the_day(lean: Path, pair: str) -> int:
    """Rows of a pair's minute files before DAY, counted without our importer."""
    total = 0
    for file in (lean / "minute" / pair).glob("201405*_quote.zip"):
        if file.name[:8] < DAY.replace("-", ""):
            with zipfile.ZipFile(file) as archive:
                total += len(archive.read(archive.namelist()[0]).splitlines())
    return total


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[str]:
    """A command in the background; yields the address that it says it listens on, or an empty text."""
    with log.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            wait_until(
                lambda: process.poll() is not None or re.search(r"http://\S+|trading EUR_USD", log.read_text()), 60
            )
            assert process.poll() is None, log.read_text()
            found = re.search(r"http://[\d.]+:\d+", log.read_text())
            yield found.group() if found else ""
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.timeout(240)
def test_candles_to_api(database: Database, data_dir: Path, tmp_path: Path) -> None:
    lean = data_dir / "lean-oanda"
    environment = {
        **os.environ, "SEP_DATABASE_URL": database.url, "SEP_HOME": str(tmp_path), "OANDA_ENVIRONMENT": "custom",
        "OANDA_API_KEY": TOKEN, "OANDA_ACCOUNT_ID": ACCOUNT, "SEP_PRICE_MAX_AGE_S": "600",
        "SEP_CLOCK_TOLERANCE_S": "1e9",
    }  # fmt: skip

    def run(*command: str, manager: bool = False) -> Any:
        done = subprocess.run(
            [*(TRAIN_MANAGER if manager else SEP), *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in command else done.stdout

    def rows(statement: str) -> list[dict[str, Any]]:
        with psycopg.connect(database.url, row_factory=dict_row) as connection:
            return connection.execute(statement).fetchall()

    # Candles: everything before the day that will be traded.
    for pair in ("eurusd", "nzdusd"):
        for file in sorted((lean / "minute" / pair).glob("201405*_quote.zip")):
            if file.name[:8] < DAY.replace("-", ""):
                run("data", "import", str(file), "--format", "lean")
    counts = {r["instrument"]: r["n"] for r in rows("SELECT instrument, count(*) AS n FROM v_candles GROUP BY 1")}
    assert counts == {"EUR_USD": lines_before_the_day(lean, "eurusd"), "NZD_USD": lines_before_the_day(lean, "nzdusd")}

    # Training and verdicts, on record.
    results = run("train-all", "--json", manager=True)["results"]
    assert [r["pair"] for r in results] == ["EUR_USD", "NZD_USD"]
    assert "READY" not in {r["verdict"] for r in results}, "eight days of candles cannot prove an edge"
    assert all(r["e_value"] < r["threshold"] == 280 for r in results)
    assert all("pip a trade" in r["reason"] for r in results)
    assert len(rows("SELECT 1 FROM research_runs")) == 2
    refused = subprocess.run([*TRAIN_MANAGER, "enable", "EUR_USD"], env=environment, capture_output=True, text=True)
    assert (refused.returncode, "EUR_USD is " in refused.stderr) == (6, True)
    run("enable", "EUR_USD", "--override", "--by", "tests", "--reason", "acceptance test", manager=True)
    run("trade", "state", "active", "--by", "tests", "--reason", "acceptance test")

    # The market replays; the trader and the generator are processes of their own.
    options = ["--token", TOKEN, "--account", ACCOUNT, "--port", "0", "--clock", "stepped", "--data", str(lean)]
    exchange_command = [*SEP, "exchange", "serve", *options, "--start", f"{DAY}T06:30:00Z"]
    with running(exchange_command, environment, tmp_path / "exchange.log") as exchange:
        environment |= {"OANDA_API_URL": exchange}
        follow = ["generate_signals", "--follow", "--enabled", "--json", "--poll", "0.02"]
        open_seen: list[dict[str, Any]] = []
        with (
            running([*SEP, "trade", "run", "--poll", "0.2"], environment, tmp_path / "trader.log"),
            subprocess.Popen([*SEP, *follow], env=environment, stdout=subprocess.PIPE, text=True) as generator,
        ):
            assert generator.stdout is not None
            assert json.loads(generator.stdout.readline())["signals"] == [], "nothing is generated for the past"
            for minute in range(400):
                state = httpx.post(f"{exchange}/_exchange/step", json={"seconds": 60}, timeout=30).json()
                # A minute has passed when its candle is stored and every signal that it gave has been decided.
                wait_until(partial(rows, f"{STORED} '{state['now'][:19]}Z'::timestamptz - interval '1 min'"), 10)
                wait_until(lambda: not rows("SELECT 1 FROM trading_signals WHERE status = 'NEW'"), 10)
                open_seen += rows("SELECT * FROM v_open_trades")
                if minute >= 60 and len(rows("SELECT 1 FROM trade_executions WHERE status = 'CLOSED'")) >= 3:
                    break
            generator.terminate()
            for _ in range(90):
                if not rows("SELECT 1 FROM v_open_trades"):
                    break
                httpx.post(f"{exchange}/_exchange/step", json={"seconds": 60}, timeout=30)
                time.sleep(0.3)
        account = httpx.get(f"{exchange}/_exchange/state").json()["accounts"][ACCOUNT]

    # The database knows all of it, in words a person with psql understands.
    trades = rows("SELECT * FROM trade_executions ORDER BY id")
    # The market jumps a minute at each step: an order may meet a price beyond its bound, and says so.
    missed = [t for t in trades if t["status"] == "REJECTED"]
    assert all(t["reason"].startswith("PRICE_MOVED: ") for t in missed)
    held = [t for t in trades if t not in missed]
    assert len(held) >= 2
    assert {t["status"] for t in held} == {"CLOSED"}
    assert {t["exit_reason"] for t in held} <= {"STOP_LOSS", "TAKE_PROFIT", "HORIZON"}
    assert {(o["pair"], o["status"]) for o in open_seen} == {("EUR_USD", "OPEN")}
    signals = rows("SELECT status, reason_code FROM trading_signals")
    assert all(s["status"] in ("EXECUTED", "REFUSED", "EXPIRED") and s["reason_code"] for s in signals)
    assert sum(s["status"] == "EXECUTED" for s in signals) == len(held)
    net = sum(t["net_pl"] for t in trades)
    assert f"{100_000 + net:.4f}" == account["balance"], "the ledger equals the account to the last digit"
    events = {r["event"] for r in rows("SELECT DISTINCT event FROM system_logs WHERE component = 'trader'")}
    assert {"reconciled", "order_intent", "order_filled", "trade_closed"} <= events

    # And so does the API.
    token = run("token", "create", "reader", "--role", "read").splitlines()[-1]
    headers = {"authorization": f"Bearer {token}"}
    with (
        running([*SEP, "serve", "--port", "0"], environment, tmp_path / "api.log") as address,
        httpx.Client(base_url=address, headers=headers) as api,
    ):
        status = api.get("/api/status").json()
        days = api.get("/api/performance/daily", params={"days": 30}).json()
        pairs = api.get("/api/pairs").json()
        recent = api.get("/api/signals/recent", params={"limit": 1000}).json()
        assert api.get("/api/trades/open").json() == []
        assert api.get("/api/account").json()[0]["currency"] == "USD"
        assert len(api.get("/api/equity").json()) >= 1
        assert httpx.get(f"{address}/api/status").status_code == 401
    assert status["enabled_pairs"] == ["EUR_USD"]
    assert status["trading_state"]["state"] == "ACTIVE"
    assert status["open_trades"] == 0
    assert status["last"]["candle"].startswith(DAY)
    assert status["broker"]["account"] == ACCOUNT
    (today,) = [d for d in days if d["day"] == DAY]
    assert (today["pair"], today["trades"], today["signals"]) == ("EUR_USD", len(held), len(signals))
    assert float(today["net_pl"]) == pytest.approx(float(net))
    assert {p["pair"]: p["enabled"] for p in pairs} == {"EUR_USD": True, "NZD_USD": False}
    assert len(recent) == len(signals)


@pytest.mark.timeout(240)
def test_the_demo_ends_by_itself_with_reconciled_books(tmp_path: Path, data_dir: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SEP_", "OANDA_"))}
    environment["SEP_TEST_DATA"] = str(data_dir)
    command = [*SEP, "demo", "--exit", "--json", "--port", "0", "--speed", "1200"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["candles"] == sum(lines_before_the_day(data_dir / "lean-oanda", p) for p in ("eurusd", "nzdusd"))
    assert found["signals"] > 0
    assert found["trades"] > 0
    assert found["reconciled"] is True
    assert found["net_pnl"] == pytest.approx(found["exchange_net_pnl"], abs=0.005)
    assert set(found["verdicts"]) == {"EUR_USD", "NZD_USD"}
    assert found["prices"] == "recorded"
    assert (found["simulated"], found["seed"]) == (False, None)
    assert Path(found["data"]).resolve() == (data_dir / "lean-oanda").resolve()


@pytest.mark.timeout(300)
def test_the_same_seed_gives_the_same_trades(tmp_path: Path) -> None:
    """Whatever the speed, and however busy the machine: the clock is stepped."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SEP_", "OANDA_"))}
    environment["SEP_TEST_DATA"] = str(tmp_path)  # nothing is there: a market is simulated
    found = []
    for speed in ("100000", "2400"):
        command = [*SEP, "demo", "--exit", "--json", "--port", "0", "--seed", "11", "--speed", speed]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=140)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert (found[0]["seed"], found[0]["simulated"], found[0]["data"]) == (11, True, None)
    assert found[0]["trades"] == found[1]["trades"] > 0
    assert found[0]["net_pnl"] == found[1]["net_pnl"]
    assert found[0]["signal_outcomes"] == found[1]["signal_outcomes"]

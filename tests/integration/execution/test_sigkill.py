"""The trader's process is killed with SIGKILL at every step of an order's life; nothing is lost or doubled."""

import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import wait_until

TRADER = [sys.executable, "-m", "sep_trader", "trade", "run", "--poll", "0.1"]


def start(world: Any, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as out:
        return subprocess.Popen(TRADER, env=world.environment(), stderr=out, stdout=out)


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


# What the exchange does with the order decides where in its life the trader hangs when it is killed.
CASES = {
    "after the intent, before the order arrives": ("drop_before", 0),
    "after the order was filled, before its answer": ("stall", 1),
    "while an answer is late": ("delay", 1),
}


@pytest.mark.parametrize("case", CASES)
def test_an_order_survives_the_death_of_its_trader(world: Any, tmp_path: Path, case: str) -> None:
    kind, trades = CASES[case]
    log = tmp_path / "trader.log"
    world.fault(kind, "POST orders", times=1, seconds=60)
    first = start(world, log)
    wait_until(lambda: "trading EUR_USD" in log.read_text())
    world.signal(horizon=600)
    wait_until(lambda: world.rows("SELECT 1 FROM trade_executions"))
    wait_until(lambda: trades == 0 or world.account()["openTradeCount"] == trades or kind == "delay")
    kill(first)
    if kind == "delay":  # a delayed answer delays the order too: let it land while nobody watches
        wait_until(lambda: world.account()["openTradeCount"] in (0, 1))
    assert world.row("SELECT status FROM trade_executions")["status"] in ("INTENT", "UNKNOWN")
    second = start(world, log)
    try:
        if trades:
            wait_until(lambda: world.row("SELECT status FROM trade_executions")["status"] == "OPEN")
        else:
            wait_until(lambda: world.rows("SELECT 1 FROM system_logs WHERE event = 'reconciled' OFFSET 1"))
    finally:
        kill(second)
    assert world.account()["openTradeCount"] == trades
    sent = world.row("SELECT count(*) AS n FROM broker_transactions WHERE type = 'MARKET_ORDER'")["n"]
    assert sent == trades


def test_killed_again_and_again_while_trading_the_books_stay_exact(world: Any, tmp_path: Path) -> None:
    log = tmp_path / "trader.log"
    # It takes about a second until the streams are connected and the signal is heard: moments before, around and after.
    for life, moment in enumerate((0.0, 0.9, 1.0, 1.1, 1.2, 1.6)):
        process = start(world, log)
        wait_until(partial(lambda n: log.read_text().count("trading EUR_USD") > n, life))
        world.signal(1 if life % 2 else -1, stop="0.00030", target="0.00030", horizon=20)
        time.sleep(moment)
        kill(process)
        for _ in range(4):
            world.step(600)
    process = start(world, log)
    wait_until(lambda: log.read_text().count("trading EUR_USD") > 6)
    try:
        wait_until(
            lambda: world.row("SELECT count(*) FILTER (WHERE status = 'NEW') AS n FROM trading_signals")["n"] == 0, 60
        )
        for _ in range(30):
            world.step(60)
            time.sleep(0.1)
            if not world.rows("SELECT 1 FROM trade_executions WHERE status = 'OPEN'"):
                break
        wait_until(lambda: not world.rows("SELECT 1 FROM trade_executions WHERE status = 'OPEN'"))
        # Stop it in peace: whatever the record holds by now is booked.
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    orders = world.rows(
        "SELECT raw->'clientExtensions'->>'id' AS id, count(*) AS n FROM broker_transactions"
        " WHERE type = 'MARKET_ORDER' AND raw->>'reason' = 'CLIENT_ORDER' GROUP BY 1"
    )
    assert len(orders) >= 2
    assert all(o["n"] == 1 for o in orders), "an order was doubled"
    assert world.account()["openTradeCount"] == 0
    assert world.books_balance()
    ids = world.rows("SELECT id FROM broker_transactions ORDER BY id")
    assert [r["id"] for r in ids] == list(range(ids[0]["id"], ids[-1]["id"] + 1)), "the record has a hole"
    assert str(ids[-1]["id"]) == world.account()["lastTransactionID"]


def test_a_second_trader_on_the_same_database_is_refused(world: Any, tmp_path: Path) -> None:
    log = tmp_path / "trader.log"
    first = start(world, log)
    try:
        wait_until(lambda: "trading EUR_USD" in log.read_text())
        second = subprocess.run(TRADER, env=world.environment(), capture_output=True, text=True, timeout=30)
        assert second.returncode == 2
        assert "another trader runs on this database" in second.stderr
    finally:
        kill(first)

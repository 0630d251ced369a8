"""What people turn and close by hand, as they type it: with the trader running, hanging, or not there at all."""

import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.execution.conftest import WIDE, World, by_a_person
from tests.support.waiting import wait_until

from sep_trader.risk.limits import RiskLimits

SEP = [sys.executable, "-m", "sep_trader"]
SIGNED = ["--by", "Ada", "--reason", "test"]
SMALL = RiskLimits(**WIDE, risk_per_trade=Decimal("0.0005"))


def sep(world: World, *arguments: str, code: int = 0, **environment: str) -> Any:
    """Run a command with --json; return what it printed."""
    done = subprocess.run(
        [*SEP, *arguments, "--json"], env=world.environment() | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


@contextmanager
def daemon(world: World, log: Path) -> Iterator[psutil.Popen]:
    with log.open("ab") as out:
        process = psutil.Popen([*SEP, "trade", "run", "--poll", "0.2"], env=world.environment(), stderr=out, stdout=out)
    try:
        wait_until(lambda: "trading EUR_USD" in log.read_text())
        yield process
    finally:
        process.resume()
        process.kill()
        process.wait()


def open_trade(world: World) -> int:
    world.signal(stop="0.01000", target="0.02000", horizon=600)
    wait_until(lambda: world.rows("SELECT 1 FROM v_open_trades WHERE status = 'OPEN' AND seen"))
    return int(world.row("SELECT trade_id FROM v_open_trades")["trade_id"])


def test_the_switch_has_a_command_for_each_position_and_keeps_its_history(world: World) -> None:
    """D4: three turns by a person, and no row."""
    for command, state in (("halt", "HALTED"), ("reduce", "REDUCING"), ("resume", "ACTIVE")):
        assert sep(world, "trade", command, *SIGNED)["state"] == state
        assert sep(world, "trade", "state")["state"] == state
    assert sep(world, "trade", "state", "halted", *SIGNED)["state"] == "HALTED"
    changes = sep(world, "trade", "changes", "--limit", "4")["changes"]
    assert [c["after"] for c in changes] == ["HALTED", "ACTIVE", "REDUCING", "HALTED"]
    assert {c["changed_by"] for c in changes} == {"Ada"}
    assert "--by NAME" in sep(world, "trade", "halt", code=2)


def test_flatten_through_the_running_trader(world: World, tmp_path: Path) -> None:
    with daemon(world, tmp_path / "log"):
        open_trade(world)
        done = sep(world, "trade", "flatten", *SIGNED)
        assert (done["by"], done["answer"]) == ("trader", "nothing is open")
        assert world.account()["openTradeCount"] == 0
        wait_until(lambda: world.row("SELECT status FROM trade_executions")["status"] == "CLOSED")
        assert world.row("SELECT exit_reason FROM trade_executions")["exit_reason"] == "FLATTENED"
        assert sep(world, "trade", "state")["state"] == "REDUCING"


def test_flatten_works_while_the_trader_hangs(world: World, tmp_path: Path) -> None:
    """D5: HALTED with an open trade meant going to the broker by hand."""
    with daemon(world, tmp_path / "log") as process:
        open_trade(world)
        process.suspend()
        began = time.monotonic()
        done = sep(world, "trade", "flatten", *SIGNED, "--wait", "1")
        assert time.monotonic() - began < 15
        assert done["by"] == "hand"
        assert len(done["closed"]) == 1
        assert world.account()["openTradeCount"] == 0
        process.resume()
        wait_until(lambda: world.row("SELECT status FROM trade_executions")["status"] == "CLOSED")
        assert world.row("SELECT exit_reason FROM trade_executions")["exit_reason"] == "FLATTENED"
        wait_until(lambda: world.row("SELECT status FROM trading_requests")["status"] == "DONE")


def test_flatten_works_without_a_database(world: World) -> None:
    trader = world.trader(limits=SMALL)
    world.signal(stop="0.01000", horizon=600)
    trader.settle()
    body = {"type": "MARKET", "instrument": "EUR_USD", "units": "700", "timeInForce": "FOK"}
    by_a_person(world, "POST", "orders", {"order": body})
    dead = "postgresql://nobody@127.0.0.1:1/none"
    done = sep(world, "trade", "flatten", *SIGNED, SEP_DATABASE_URL=dead)
    assert (done["by"], len(done["closed"]), done["open"]) == ("hand", 1, [])
    assert world.account()["openTradeCount"] == 1, "a person's own is left alone"
    assert "no trade 99 of ours is open" in sep(world, "trade", "close", "99", *SIGNED, code=2, SEP_DATABASE_URL=dead)
    assert len(sep(world, "trade", "flatten", "--all", *SIGNED, SEP_DATABASE_URL=dead)["closed"]) == 1
    assert world.account()["openTradeCount"] == 0


def test_close_closes_one_trade_and_only_ours(world: World, tmp_path: Path) -> None:
    body = {"type": "MARKET", "instrument": "NZD_USD", "units": "700", "timeInForce": "FOK"}
    made = by_a_person(world, "POST", "orders", {"order": body})
    persons = made["orderFillTransaction"]["tradeOpened"]["tradeID"]
    with daemon(world, tmp_path / "log"):
        trade_id = open_trade(world)
        assert "is not ours" in sep(world, "trade", "close", persons, *SIGNED, code=2)
        assert sep(world, "trade", "close", str(trade_id), *SIGNED)["answer"] == f"trade {trade_id} is not open"
        wait_until(lambda: world.row("SELECT status FROM trade_executions")["status"] == "CLOSED")
        assert world.row("SELECT exit_reason FROM trade_executions")["exit_reason"] == "REQUESTED"
        assert sep(world, "trade", "state")["state"] == "ACTIVE"
        assert world.account()["openTradeCount"] == 1


@pytest.mark.parametrize("running", [True, False])
def test_a_probe_goes_the_whole_path(world: World, tmp_path: Path, running: bool) -> None:
    log = tmp_path / "probe.log"
    command = [*SEP, "trade", "probe", "EUR_USD", "--side", "buy", "--stop-pips", "20", "--horizon", "1", "--json"]

    def probe() -> None:
        with log.open("w") as out:
            process = psutil.Popen([*command, "--timeout", "20"], env=world.environment(), stdout=out)
        for _ in range(400):  # the exchange's minute passes as the probe's does
            if process.poll() is not None:
                break
            if world.rows("SELECT 1 FROM v_open_trades WHERE seen"):
                time.sleep(0.5)
                world.step(70)
            time.sleep(0.1)
        assert process.wait(30) == 0, log.read_text()

    if running:
        with daemon(world, tmp_path / "log"):
            probe()
    else:
        probe()
    found = json.loads(
        log.read_text()[log.read_text().index("{\n") :]
        if "{\n" in log.read_text()
        else log.read_text().splitlines()[-1]
    )
    assert found["ok"] is True
    steps = [one["step"] for one in found["steps"]]
    assert steps == ["trader", "signal", "intent", "filled", "protected", "closed", "booked"]
    row = world.row("SELECT origin, max_units, model_id FROM trading_signals")
    assert row == {"origin": "probe", "max_units": 100, "model_id": None}


def test_a_probe_that_is_refused_says_why(world: World) -> None:
    world.execute("UPDATE trading_state SET state = 'HALTED', reason = 'lunch', changed_by = 'Ada'")
    options = ["EUR_USD", "--side", "buy", "--stop-pips", "20", "--horizon", "1"]
    done = subprocess.run(
        [*SEP, "trade", "probe", *options], env=world.environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "TRADING_HALTED" in done.stdout
    live = sep(world, "trade", "probe", *options, code=6, OANDA_ENVIRONMENT="live")
    assert "a live account" in live


def test_trades_are_shown_with_what_the_broker_says_and_written_for_taxes(world: World) -> None:
    trader = world.trader(limits=SMALL)
    world.signal(stop="0.01000", horizon=2)
    trader.settle()
    shown = sep(world, "trade", "trades")
    assert shown["open"][0]["seen"] is True
    command = [*SEP, "trade", "trades"]
    assert (
        "Nobody has looked"
        not in subprocess.run(command, env=world.environment(), capture_output=True, text=True).stdout
    )
    world.execute("UPDATE broker_accounts SET seen_at = seen_at - interval '1 minute'")
    assert (
        "Nobody has looked" in subprocess.run(command, env=world.environment(), capture_output=True, text=True).stdout
    )
    world.step(240)
    trader.settle()
    done = subprocess.run([*SEP, "trade", "trades", "--csv"], env=world.environment(), capture_output=True, text=True)
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    booked = world.row("SELECT * FROM trade_executions")
    assert (row["pair"], row["side"], row["currency"]) == ("EUR_USD", "BUY", "USD")
    assert Decimal(row["net_pl"]) == booked["net_pl"]
    assert row["exit_time"] == booked["exit_time"].isoformat()
    done = subprocess.run(
        [*SEP, "trade", "trades", "--csv", "--year", "2013"], env=world.environment(), capture_output=True, text=True
    )
    assert len(done.stdout.splitlines()) == 1
    (account,) = sep(world, "trade", "ledger")["accounts"]
    entries = {name: Decimal(str(amount)) for name, amount in account["entries"].items()}
    assert sum(entries.values()) == 0
    assert -entries["trading"] == booked["gross_pl"]
    assert entries["cash"] == Decimal(world.account()["balance"]) - 100_000
    assert "is no day" in sep(world, "trade", "ledger", "--since", "soon", code=2)

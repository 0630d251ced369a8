"""`sep exchange serve` as a person and a supervisor meet it: its line, its refusals, its memory, its clock."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.exchange import launched

MAIN = [sys.executable, "-m", "sep_trader", "exchange"]
ACCOUNT, TOKEN = "101-001-0000001-001", "T"
BASIC = ("--token", TOKEN, "--account", ACCOUNT)


def http() -> httpx.Client:
    return httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)


def test_it_says_one_line_when_it_listens() -> None:
    with launched(*BASIC, "--clock", "live", "--seed", "7", "--instruments", "EUR_USD") as running:
        assert running.line == f"sep exchange: listening on {running.url} account {ACCOUNT} clock live"
        running.process.terminate()
        assert running.process.stdout is not None and running.process.stderr is not None
        assert (running.process.stdout.read(), running.process.stderr.read()) == ("", "")
        assert running.process.wait(10) in (0, -15)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--data", "/nowhere/at/all"], "no such file or folder"),
        (["--clock", "live", "--data", "."], "cannot replay"),
        (["--start", "yesterday"], "not a time"),
        (["--data", ".", "--speed", "0"], "makes no time pass"),
        (["--instruments", "EURO"], "unknown pair"),
        (["--token", "A", "--token", "B"], "tokens for"),
        (["--balance", "lots"], "not an amount"),
        (["--state", "/nowhere/at/all"], "cannot write the state file"),
    ],
)
def test_what_it_cannot_do_is_one_line(options: list[str], says: str) -> None:
    done = subprocess.run([*MAIN, "serve", "--port", "0", *BASIC, *options], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run([*MAIN, "serve", "--port", port, *BASIC], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f":{port}: Address already in use" in done.stderr


def snapshot(client: httpx.Client, url: str) -> Any:
    """Everything about the account that does not depend on the price."""
    base = f"{url}/v3/accounts/{ACCOUNT}"
    body = client.get(base).json()["account"]
    return (
        {key: body[key] for key in ("balance", "pl", "lastTransactionID", "alias", "createdTime", "orders")},
        [(trade["id"], trade["currentUnits"]) for trade in body["trades"]],
        client.get(f"{base}/transactions/sinceid?id=0").json(),
    )


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    options = (
        *BASIC,
        "--clock",
        "live",
        "--seed",
        "7",
        "--instruments",
        "EUR_USD,EUR_JPY",
        "--state",
        str(tmp_path / "s"),
    )
    with launched(*options) as running, http() as client:
        base = f"{running.url}/v3/accounts/{ACCOUNT}"
        for units in ("1000", "-300", "500"):
            order = {"type": "MARKET", "instrument": "EUR_JPY", "units": units, "stopLossOnFill": {"distance": "2"}}
            assert client.post(f"{base}/orders", json={"order": order}).status_code == 201
        order = {
            "type": "LIMIT",
            "instrument": "EUR_USD",
            "units": "5",
            "price": "0.9",
            "clientExtensions": {"id": "x"},
        }
        client.post(f"{base}/orders", json={"order": order})
        before = snapshot(client, running.url)
        running.kill()
    with launched(*options) as running, http() as client:
        assert snapshot(client, running.url) == before
        base = f"{running.url}/v3/accounts/{ACCOUNT}"
        last = int(before[0]["lastTransactionID"])
        answer = client.put(f"{base}/orders/@x/cancel").json()
        assert answer["orderCancelTransaction"]["id"] == str(last + 1)
        assert client.put(f"{base}/positions/EUR_JPY/close", json={"longUnits": "ALL"}).status_code == 200


def test_the_stepped_clock_goes_on_where_it_was(tmp_path: Path) -> None:
    options = (*BASIC, "--clock", "stepped", "--instruments", "EUR_USD", "--state", str(tmp_path / "s"))
    with launched(*options) as running, http() as client:
        client.post(f"{running.url}/_exchange/step", json={"to": "2026-01-05T03:00:00Z"})
        order = {"type": "MARKET", "instrument": "EUR_USD", "units": "1"}
        client.post(f"{running.url}/v3/accounts/{ACCOUNT}/orders", json={"order": order})
        price = client.get(f"{running.url}/v3/accounts/{ACCOUNT}/pricing?instruments=EUR_USD").json()
        running.kill()
    with launched(*options) as running, http() as client:
        assert client.get(f"{running.url}/_exchange/now").json() == {"now": "2026-01-05T03:00:00.000000000Z"}
        assert client.get(f"{running.url}/v3/accounts/{ACCOUNT}/pricing?instruments=EUR_USD").json() == price
        back = client.post(f"{running.url}/_exchange/step", json={"to": "2026-01-05T02:00:00Z"})
        assert back.status_code == 400


def test_a_fast_replay_jumps_the_weekend_and_reaches_its_end(data_dir: Path) -> None:
    quotes = str(data_dir / "lean-oanda" / "minute" / "nzdusd")
    start = ("--data", quotes, "--start", "2014-05-02T20:30:00Z", "--speed", "20000")
    with launched(*BASIC, *start) as running, http() as client:
        assert running.line.endswith("clock replay x20000")
        deadline = time.monotonic() + 20
        state: dict[str, Any] = {"now": ""}
        while state["now"] < "2014-05-04T21:30" and time.monotonic() < deadline:
            state = client.get(f"{running.url}/_exchange/state").json()
            time.sleep(0.02)
        assert state["now"] >= "2014-05-04T21:30"
        assert state["finished"] is False
    with (
        launched(*BASIC, *start[:2], "--start", "2014-05-15T23:00:00Z", "--speed", "20000") as running,
        http() as client,
    ):
        while not state["finished"] and time.monotonic() < deadline + 20:
            state = client.get(f"{running.url}/_exchange/state").json()
        assert state["finished"] is True


def test_each_token_opens_its_own_account() -> None:
    options = ("--token", "A", "--token", "B", "--account", ACCOUNT, "--account", "101-001-0000001-002")
    with launched(*options, "--clock", "stepped", "--instruments", "EUR_USD") as running:
        for token, own, other in (("A", "001", "002"), ("B", "002", "001")):
            with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
                found = client.get(f"{running.url}/v3/accounts").json()["accounts"]
                assert [account["id"] for account in found] == [f"101-001-0000001-{own}"]
                assert client.get(f"{running.url}/v3/accounts/101-001-0000001-{other}").status_code == 403


def test_a_written_market_is_replayed(tmp_path: Path) -> None:
    options = ["market", "--out", str(tmp_path), "--pairs", "EUR_USD,NZD_USD", "--days", "2", "--seed", "7"]
    done = subprocess.run([*MAIN, *options], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stderr
    start = ("--data", str(tmp_path), "--clock", "stepped", "--start", "2026-01-05T06:00:00Z")
    with launched(*BASIC, *start) as running, http() as client:
        client.post(f"{running.url}/_exchange/step", json={"seconds": 600})
        query = "granularity=M1&count=500&price=BA"
        found = client.get(f"{running.url}/v3/instruments/NZD_USD/candles?{query}").json()["candles"]
        assert found[-1]["time"].startswith("2026-01-05T06:10")
        assert [candle["complete"] for candle in found[-2:]] == [True, False]
        assert len(found) == 371  # from midnight, and the forming one

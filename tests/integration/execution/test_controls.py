"""What people ask from afar through rows: the next pass does it, answers it, and says why where it may not."""

from datetime import timedelta

import pytest
from tests.integration.execution.conftest import World

from sep_trader.execution.asking import ask_and_wait
from sep_trader.states import RequestKind, RequestStatus, TradingState


def asked(world: World, kind: RequestKind, **what: object) -> dict[str, object]:
    """Ask, let one trader settle, and return the row."""
    trader = world.trader()
    reply = ask_and_wait(world.database, kind, by="Ann", why="a test", patience_s=0, **what)  # type: ignore[arg-type]
    assert reply.status is RequestStatus.NEW
    assert "no trader has acted" in reply.text
    trader.settle()
    return world.row("SELECT status, answer FROM trading_requests WHERE id = %s", reply.request_id)


@pytest.mark.parametrize(
    ("kind", "state"),
    [(RequestKind.HALT, "HALTED"), (RequestKind.REDUCE, "REDUCING"), (RequestKind.RESUME, "ACTIVE")],
)
def test_the_switch(world: World, kind: RequestKind, state: str) -> None:
    before = TradingState.ACTIVE if kind is not RequestKind.RESUME else TradingState.HALTED
    world.execute("UPDATE trading_state SET state = %s, changed_by = 'me', reason = 'x'", before)
    assert asked(world, kind) == {"status": "DONE", "answer": f"trading is {state}"}
    assert world.row("SELECT state, changed_by, reason FROM trading_state") == {
        "state": state, "changed_by": "Ann", "reason": "a test",
    }  # fmt: skip
    # A row of the history, with the name of who asked.
    assert world.row("SELECT changed_by FROM control_changes ORDER BY id DESC LIMIT 1") == {"changed_by": "Ann"}


def test_a_halt_stops_the_very_pass_that_reads_it(world: World) -> None:
    """A signal that waits beside the request is not traded any more."""
    trader = world.trader()
    world.signal()
    ask_and_wait(world.database, RequestKind.HALT, by="Ann", why="a test", patience_s=0)
    trader.settle()
    assert world.row("SELECT count(*) AS n FROM trade_executions") == {"n": 0}
    assert world.row("SELECT reason_code FROM trading_signals") == {"reason_code": "TRADING_HALTED"}


def test_a_pair_is_disabled_and_enabled(world: World) -> None:
    assert asked(world, RequestKind.DISABLE, pair="EUR_USD") == {"status": "DONE", "answer": "EUR_USD may not trade"}
    assert not world.row("SELECT enabled FROM trading_pairs")["enabled"]
    world.execute("UPDATE trading_pairs SET verdict = 'NOT_READY', verdict_reason = 'too few trades'")
    refused = asked(world, RequestKind.ENABLE, pair="EUR_USD")
    assert refused["status"] == "REFUSED"
    assert "NOT READY: too few trades" in str(refused["answer"])
    assert not world.row("SELECT enabled FROM trading_pairs")["enabled"]
    world.execute("UPDATE trading_pairs SET verdict = 'READY'")
    assert asked(world, RequestKind.ENABLE, pair="EUR_USD")["status"] == "DONE"
    assert asked(world, RequestKind.DISABLE, pair="USD_XXX")["status"] == "REFUSED"


def test_the_account_is_kept_once_a_minute(world: World) -> None:
    trader = world.trader()
    for _ in range(3):
        world.step(1)
        trader.once()
    rows = world.rows("SELECT nav, balance FROM account_equity")
    assert len(rows) in (1, 2), "the minute may have turned meanwhile"
    assert str(rows[0]["nav"]) == "100000.0000"


def test_old_equity_is_thinned(world: World) -> None:
    from datetime import UTC, datetime

    from sep_trader.store.queries import queries

    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    with world.database.transaction() as connection:
        connection.execute(
            "INSERT INTO account_equity SELECT 'A', %s - n * interval '10 minutes', n, n, 0, 0"
            " FROM generate_series(1, 400) n",
            [now],
        )
        gone = queries.execute(
            connection, "thin_equity", hourly_before=now - timedelta(days=1), daily_before=now - timedelta(days=2)
        )
        left = [row["time"] for row in connection.execute("SELECT time FROM account_equity ORDER BY time").fetchall()]
    assert gone + len(left) == 400
    per_day = [t for t in left if t < now - timedelta(days=2)]
    per_hour = [t for t in left if now - timedelta(days=2) <= t < now - timedelta(days=1)]
    assert len(per_day) == len({t.date() for t in per_day})
    assert len(per_hour) == len({t.replace(minute=0) for t in per_hour}) == 24 + (per_hour[0].minute > 0)
    assert len([t for t in left if t >= now - timedelta(days=1)]) == 144


def test_the_account_over_time_on_the_screen(world: World) -> None:
    import json
    import subprocess
    import sys

    world.execute("INSERT INTO account_equity SELECT 'A', now() - n * interval '1 hour', 100 - n, 100 - n, 0, 0"
                  " FROM generate_series(0, 47) n")  # fmt: skip

    def sep(*words: str) -> str:
        command = [sys.executable, "-m", "sep_trader", "trade", "equity", *words]
        return subprocess.run(command, env=world.environment(), capture_output=True, text=True, check=True).stdout

    shown = sep()
    assert "A: 53.00 to 100.00" in shown
    assert "▁" in shown and "█" in shown
    assert len(json.loads(sep("--json"))["equity"]) == 48
    assert "No trader has seen" in sep("--from", "2000-01-01", "--to", "2001-01-01")

"""What a person asked to be closed is closed while no trader acts, and the next trader's books are right."""

from tests.integration.execution.conftest import World
from tests.support.trades import at_broker, opened

from sep_trader.cli.trade_standby import look
from sep_trader.execution.asking import ask_and_wait
from sep_trader.states import RequestKind


def test_a_flatten_that_no_trader_acts_on(world: World) -> None:
    trader = world.trader()
    number = opened(world, trader)
    reply = ask_and_wait(world.database, RequestKind.FLATTEN, by="Ann", why="a test", patience_s=0)
    assert look(world.database, world.client(), 10.0) == [], "the trader has its ten seconds"
    (closed,) = look(world.database, world.client(), 0.0)
    assert closed.done
    assert at_broker(world, number)["state"] == "CLOSED"
    row = world.row("SELECT status, answer FROM trading_requests WHERE id = %s", reply.request_id)
    assert (row["status"], "directly at the broker" in row["answer"]) == ("DONE", True)
    assert look(world.database, world.client(), 0.0) == []
    # A trader that comes back books what was closed, and why.
    trader.settle()
    assert world.row("SELECT status, exit_reason FROM trade_executions") == {
        "status": "CLOSED", "exit_reason": "FLATTENED",
    }  # fmt: skip
    assert world.books_balance()


def test_it_does_nothing_else(world: World) -> None:
    """Not the switch, not a pair: those wait for the trader."""
    world.trader()
    ask_and_wait(world.database, RequestKind.RESUME, by="Ann", why="a test", patience_s=0)
    assert look(world.database, world.client(), 0.0) == []
    assert world.row("SELECT status FROM trading_requests") == {"status": "NEW"}

"""The switch: people and protections turn it, each change is one row that nobody can change."""

import threading
from typing import Any

import psycopg
import pytest

from sep_trader.errors import InputError
from sep_trader.execution import switch
from sep_trader.states import TradingState
from sep_trader.store.database import Database

ACTIVE, REDUCING, HALTED = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED


def changes(database: Database) -> list[tuple[Any, ...]]:
    """Every recorded change after the installation's own row, oldest first."""
    with database.transaction() as connection:
        rows = connection.execute("SELECT * FROM control_changes ORDER BY id OFFSET 1").fetchall()
    return [(r["change"], r["pair"], r["before"], r["after"], r["changed_by"], r["reason"]) for r in rows]


def turn(database: Database, state: TradingState, by: str = "Ada", why: str = "test") -> None:
    with database.transaction() as connection:
        switch.turn(connection, state, by=by, why=why)


def test_it_is_halted_until_a_person_turns_it_on(database: Database) -> None:
    with database.transaction() as connection:
        now = switch.read(connection)
    assert (now.state, now.changed_by) == (HALTED, "installation")


@pytest.mark.parametrize(("by", "why"), [(None, "why"), ("Ada", None), (" ", "why"), ("Ada", "")])
def test_a_person_turns_it_with_a_name_and_a_reason(database: Database, by: str | None, why: str | None) -> None:
    with pytest.raises(InputError), database.transaction() as connection:
        switch.turn(connection, ACTIVE, by=by, why=why)
    assert changes(database) == []


@pytest.mark.parametrize(
    ("before", "reduced", "halted"),
    [(ACTIVE, REDUCING, HALTED), (REDUCING, REDUCING, HALTED), (HALTED, HALTED, HALTED)],
)
def test_a_protection_only_turns_down_and_says_whether_it_did(
    database: Database, before: TradingState, reduced: TradingState, halted: TradingState
) -> None:
    for protect, after in ((switch.reduce, reduced), (switch.halt, halted)):
        turn(database, before, why="a person's words")
        with database.transaction() as connection:
            did = protect(connection, by="protection", why="lost too much")
            now = switch.read(connection)
        assert (now.state, did) == (after, before is not after)
        assert now.reason == ("lost too much" if did else "a person's words")


@pytest.mark.parametrize("protect", [switch.reduce, switch.halt])
def test_a_protection_that_waited_for_a_person_does_not_overwrite_the_person(database: Database, protect: Any) -> None:
    """The person's transaction is open when the protection acts: whoever commits first, the person's words stand."""
    turn(database, ACTIVE)
    did: list[bool] = []

    def act() -> None:
        with database.transaction() as connection:
            did.append(protect(connection, by="protection", why="lost too much"))

    with database.transaction() as person:
        switch.turn(person, HALTED, by="Ada", why="something is wrong")
        thread = threading.Thread(target=act)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "the protection must wait for the person's transaction"
    thread.join(10)
    with database.transaction() as connection:
        now = switch.read(connection)
    assert did == [False]
    assert (now.state, now.reason) == (HALTED, "something is wrong")


def test_every_turn_is_recorded_whoever_makes_it(database: Database) -> None:
    turn(database, ACTIVE, "Ada", "begin")
    with database.transaction() as connection:
        switch.reduce(connection, by="daily loss limit", why="3 %")
        switch.reduce(connection, by="daily loss limit", why="again")
        connection.execute("UPDATE trading_state SET state = 'HALTED', changed_by = 'psql', reason = 'by hand'")
    assert changes(database) == [
        ("SWITCHED", None, "HALTED", "ACTIVE", "Ada", "begin"),
        ("SWITCHED", None, "ACTIVE", "REDUCING", "daily loss limit", "3 %"),
        ("SWITCHED", None, "REDUCING", "HALTED", "psql", "by hand"),
    ]


def test_a_change_that_is_rolled_back_is_not_recorded(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        switch.turn(connection, ACTIVE, by="Ada", why="begin")
        raise ZeroDivisionError
    assert changes(database) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE control_changes SET reason = 'x'", "DELETE FROM control_changes", "TRUNCATE control_changes"]
)
def test_recorded_changes_cannot_be_changed(database: Database, statement: str) -> None:
    turn(database, ACTIVE)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only added"), database.transaction() as connection:
        connection.execute(statement.encode())
    assert len(changes(database)) == 1

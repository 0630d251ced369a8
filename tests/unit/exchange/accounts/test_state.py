"""The journal: what was answered is remembered, what was torn is not."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sep_trader.errors import InputError
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.state import StateFile, recall, restore
from sep_trader.exchange.http.wire import full_account_body
from sep_trader.exchange.matching.exchange import Exchange


def trade_a_little(d: Any) -> None:
    d.order(units="1000", stopLossOnFill={"distance": "0.01"}, tradeClientExtensions={"id": "t"})
    d.order(units="500", trailingStopLossOnFill={"distance": "0.01"})
    d.order("LIMIT", price="1.05", timeInForce="GTD", gtdTime="2026-01-08T00:00:00Z", clientExtensions={"id": "o"})
    d.order(units="-1100")
    d.order(units="0")


def test_an_account_is_rebuilt_as_it_was(desk: Any, tmp_path: Path) -> None:
    d = desk()
    path = tmp_path / "state"
    journal = StateFile(path, {"start": d.floor.now, "anchor": 0, "seed": 7}, fresh=True)
    d.floor.listeners.append(journal.listener)
    trade_a_little(d)
    journal.mark(d.floor.now + 5)
    before = full_account_body(d.floor, d.account)
    journal.close()

    memory = recall(path)
    assert memory is not None and memory.now == d.floor.now + 5
    floor = Floor(d.floor.instruments, d.floor.policy)
    exchange = Exchange(floor, d.exchange.tape, d.floor.now)
    # The deposit was made before the journal was opened; a whole file has it too.
    assert len(memory.accounts) == 1
    account = restore(floor, d.account.id, memory.accounts[d.account.id])
    exchange.add_account(account)
    after = full_account_body(floor, account)
    before["lastTransactionID"] = after["lastTransactionID"]
    assert after == before
    assert account.balance == d.account.balance != Decimal(100_000)
    assert account.find_trade("@t") is None and account.find_order("@o") is not None
    assert len(floor.triggers["EUR_USD"]) == len(account.pending) == 2


def test_a_torn_last_line_is_dropped_and_the_file_goes_on(desk: Any, tmp_path: Path) -> None:
    d = desk()
    path = tmp_path / "state"
    journal = StateFile(path, {"start": 1, "anchor": 0, "seed": 7}, fresh=True)
    d.floor.listeners.append(journal.listener)
    d.order()
    whole = path.read_bytes()
    d.order()
    journal.close()
    path.write_bytes(path.read_bytes()[:-40])
    memory = recall(path)
    assert memory is not None
    assert path.read_bytes() == whole
    assert len(memory.accounts[d.account.id].transactions) == 2


@pytest.mark.parametrize("content", [b'{"version":99}\n', b"[1]\n", b"hello\n"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    with pytest.raises(InputError):
        recall(path)
    assert path.read_bytes() == content


def test_no_file_and_an_empty_file_remember_nothing(tmp_path: Path) -> None:
    assert recall(tmp_path / "none") is None
    (tmp_path / "empty").touch()
    assert recall(tmp_path / "empty") is None

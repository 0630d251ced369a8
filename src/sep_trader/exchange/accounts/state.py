"""The exchange's memory: an append-only journal, one line a batch, written before the answer goes out.

A line is handed to the system in one write, so that nothing answered is lost when the process is killed; the file is
synced once a second, so that a power cut loses a second at most. A torn last line was never answered and is dropped.
"""

import os
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from sep_trader.errors import InputError
from sep_trader.exchange.accounts.account import Account, Batch
from sep_trader.exchange.accounts.floor import Floor
from sep_trader.exchange.accounts.orders import Order
from sep_trader.exchange.accounts.trades import Side, Trade
from sep_trader.exchange.market.figures import read_time

VERSION = 1
Body = dict[str, Any]
_MONEY = ("balance", "pl", "resettable_pl", "financing", "margin_rate")
_PLAIN = ("currency", "hedging", "fifo", "alias", "user", "created", "last_fill", "margin_called")
_ORDER_SLOTS = tuple(slot.name for slot in fields(Order) if slot.name != "account_id")
_TRADE_SLOTS = tuple(slot.name for slot in fields(Trade))
_TRADE_MONEY = ("initial_margin", "realized", "financing")


def _encode(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)


@dataclass(slots=True)
class Remembered:
    """What a state file holds: the market's seed and anchor (s), the last exchange time (ns), and accounts by id."""

    header: Body
    now: int
    accounts: dict[str, "AccountMemory"] = field(default_factory=dict)


@dataclass(slots=True)
class AccountMemory:
    """An account as last written: its figures, its transactions, and the newest form of each order and trade."""

    figures: Body
    transactions: list[bytes] = field(default_factory=list)
    orders: dict[int, Body] = field(default_factory=dict)
    trades: dict[int, Body] = field(default_factory=dict)
    positions: dict[str, list[list[Any]]] = field(default_factory=dict)


class StateFile:
    """Writes what happens to a file. To be added to the floor's listeners."""

    def __init__(self, path: Path, header: Body, *, fresh: bool) -> None:
        """Open the file. Raises InputError if it cannot be written."""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise InputError(
                f"cannot write the state file {path}: {error.strerror}", "name another with --state"
            ) from None
        if fresh:
            self._write({"version": VERSION, **header})

    def _write(self, line: Body) -> None:
        os.write(self._file, orjson.dumps(line, default=_encode) + b"\n")

    def listener(self, account: Account, batch: Batch, encoded: list[bytes]) -> None:
        """Write a batch and everything it touched."""
        orders = [entry for entry in account.touched if isinstance(entry, Order)]
        trades = [entry for entry in account.touched if isinstance(entry, Trade)]
        names = {trade.instrument for trade in trades}
        self._write(
            {
                "now": batch.now,
                "account": account.id,
                "figures": {name: getattr(account, name) for name in (*_MONEY, *_PLAIN)},
                "transactions": [orjson.Fragment(line) for line in encoded],
                "orders": [{slot: getattr(order, slot) for slot in _ORDER_SLOTS} for order in orders],
                "trades": [{slot: getattr(trade, slot) for slot in _TRADE_SLOTS} for trade in trades],
                "positions": {
                    name: [_side(account.position(name).long), _side(account.position(name).short)] for name in names
                },
            }
        )

    def mark(self, now: int) -> None:
        """Note the exchange time and sync the file; to be called about once a second."""
        self._write({"now": now})
        os.fsync(self._file)

    def close(self) -> None:
        """Sync and close."""
        os.fsync(self._file)
        os.close(self._file)


def _side(side: Side) -> list[object]:
    return [side.units, side.cost, side.pl, side.financing]


def recall(path: Path) -> Remembered | None:
    """Read a state file and cut off a torn last line; None if there is none. Raises InputError for another's file."""
    if not path.exists() or not path.stat().st_size:
        return None
    try:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        lines = [orjson.loads(line) for line in whole.splitlines()]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(f"cannot read the state file {path}: {error}", "name another with --state") from None
    if not lines:
        return None
    if not isinstance(lines[0], dict) or lines[0].get("version") != VERSION:
        raise InputError(f"{path} is not a state file of this exchange", "name another with --state")
    memory = Remembered(lines[0], int(lines[0].get("start", 0)))
    for line in lines[1:]:
        memory.now = max(memory.now, line["now"])
        if "account" in line:
            _take_up(memory.accounts, line)
    return memory


def _take_up(accounts: dict[str, AccountMemory], line: Body) -> None:
    account = accounts.setdefault(line["account"], AccountMemory({}))
    account.figures = line["figures"]
    account.transactions += [orjson.dumps(entry) for entry in line["transactions"]]
    account.orders |= {order["id"]: order for order in line["orders"]}
    account.trades |= {trade["id"]: trade for trade in line["trades"]}
    account.positions |= line["positions"]


def restore(floor: Floor, name: str, memory: AccountMemory) -> Account:
    """Rebuild an account on the floor."""
    figures: Body = {key: memory.figures[key] for key in _PLAIN}
    figures |= {key: Decimal(memory.figures[key]) for key in _MONEY}
    account = Account(name, **figures)
    for line in memory.transactions:
        entry = orjson.loads(line)
        account.record.append(entry["type"], read_time(entry["time"]) or 0, line)
    for number in sorted(memory.trades):
        raw = memory.trades[number]
        trade = Trade(**{**raw, **{key: Decimal(raw[key]) for key in _TRADE_MONEY}})
        account.trades[trade.id] = trade
        if trade.open:
            account.open_trade(trade)
    for instrument, sides in memory.positions.items():
        position = account.position(instrument)
        position.long, position.short = (Side(u, c, Decimal(pl), Decimal(f)) for u, c, pl, f in sides)
    for number in sorted(memory.orders):
        order = Order(**memory.orders[number])
        if order.state == "PENDING":
            account.keep(order)
            floor.rest(account, order)
        else:
            account.finished[order.id] = order
    account.touched.clear()
    return account

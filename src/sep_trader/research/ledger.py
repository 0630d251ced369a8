"""The ledger of research: what was ever tried, in a chain of hashes to which rows are only added.

The database refuses to change or delete rows. Who can switch that off (a superuser) still cannot hide it: each row
holds the hash of the one before, so that a changed, missing or inserted row breaks the chain, and a chain that was made
anew has another head than the one that was printed or handed over before.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sep_trader.store.database import Connection
from sep_trader.store.locks import Lock
from sep_trader.store.queries import queries

BEFORE_ALL = "0" * 64
"""What the first row of a chain follows."""


class Kind(StrEnum):
    """What a row tells (research_ledger.kind)."""

    BEGUN = "BEGUN"
    FINISHED = "FINISHED"
    EXPLORED = "EXPLORED"
    """A backtest: it shows what it finds and books nothing."""
    REGISTERED = "REGISTERED"
    """A design that a person wrote down: it bets on candles after this row."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger. body: JSON text, to the byte as it was hashed."""

    number: int
    at: datetime
    kind: Kind
    run_id: uuid.UUID
    pair: str
    design: str
    body: str
    previous: str
    hash: str

    def hashed(self) -> str:
        """The hash that this row must have."""
        columns = (
            str(self.number),
            self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            str(self.kind),
            str(self.run_id),
            self.pair,
            self.design,
            self.body,
            self.previous,
        )
        return hashlib.sha256(json.dumps(columns, ensure_ascii=True).encode()).hexdigest()

    @property
    def content(self) -> dict[str, Any]:
        """What the body says."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of a chain: who knows it can tell whether the chain was shortened or changed since."""

    number: int = 0
    hash: str = BEFORE_ALL


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row of the chain."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class _Unmatched:
    number: int
    run_id: uuid.UUID


def add(
    connection: Connection, kind: Kind, run_id: uuid.UUID, pair: str, design: str, content: dict[str, Any]
) -> Entry:
    """Add a row, in the transaction that is open; one program adds at a time."""
    queries.lock(connection, "lock_transaction", key=Lock.RESEARCH_LEDGER)
    head = head_of(connection)
    at = queries.value(connection, "ledger_now", datetime)
    body = body_of(content)
    unsigned = Entry(head.number + 1, at, kind, run_id, pair, design, body, head.hash, "")
    hashed = unsigned.hashed()
    columns = {name: getattr(unsigned, name) for name in Entry.__dataclass_fields__}
    queries.execute(connection, "add_to_ledger", **(columns | {"hash": hashed}))
    return Entry(**(columns | {"hash": hashed}))


def body_of(content: dict[str, Any]) -> str:
    """Content as the ledger keeps it: the same content is the same text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str)


def head_of(connection: Connection) -> Head:
    """The newest row; number 0 of an empty ledger."""
    return queries.one(connection, "ledger_head", Head) or Head()


def entries(connection: Connection) -> list[Entry]:
    """The whole chain, oldest first."""
    return queries.many(connection, "research_ledger", Entry)


def verify(connection: Connection, expected: Head | None = None) -> list[Fault]:
    """What is wrong with the ledger; empty when it is whole.

    expected: a head that was noted before: the chain must still hold it.
    """
    chain = entries(connection)
    faults = check_chain(chain, expected)
    for one in queries.many(connection, "finished_without_run", _Unmatched):
        faults.append(Fault(one.number, f"run {one.run_id} is not in research_runs as the ledger tells it"))
    return faults


def check_chain(chain: Iterable[Entry], expected: Head | None = None) -> list[Fault]:
    """What is wrong with a chain of rows, oldest first. Pure."""
    faults: list[Fault] = []
    before = Head()
    seen: dict[int, str] = {0: BEFORE_ALL}
    for entry in chain:
        if entry.number != before.number + 1:
            faults.append(Fault(entry.number, f"follows row {before.number}: {entry.number - before.number - 1} gone"))
        if entry.previous != before.hash:
            faults.append(Fault(entry.number, "does not hold the hash of the row before"))
        if entry.hash != entry.hashed():
            faults.append(Fault(entry.number, "is not what was hashed: it was changed"))
        before = Head(entry.number, entry.hash)
        seen[entry.number] = entry.hash
    if expected is not None and seen.get(expected.number) != expected.hash:
        short = expected.number > before.number
        text = f"ends at row {before.number}: it was longer" if short else "has another hash than was noted"
        faults.append(Fault(expected.number, text))
    return faults

"""The way home: what happened on the trading machine, since what is here already, checked before it is taken in.

Whoever asks says by a receipt what it has; the answer is one text of two lines, a head with counts and a hash, and the
rows. The trading machine compares the receipt with its own books: where they were made anew, it says so instead.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from sep_trader.errors import InputError, NotAllowed
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import Row, queries

__all__ = ["Latched", "Receipt", "Taken", "export_results", "receipt_for", "take_results"]

FORMAT = 1
LARGEST = 256 * 2**20
"""Bytes that an answer may have."""
_AT_ONCE = 20_000
"""Rows of a part, of an account where it has accounts, in one answer; the next one brings the rest."""
_OVERLAP = timedelta(hours=1)
"""So far back changes are looked for: a transaction that began earlier may have ended later."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_PARTS = ("transactions", "executions", "signals", "equity", "pairs")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is here of a trading machine: until (its clock, RFC 3339), and of each account the newest transaction."""

    source: str
    until: str = _LONG_AGO.isoformat()
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str) -> "Receipt":
        """Read what somebody else sent. Raises InputError for what is none."""
        try:
            read = json.loads(text)
            receipt = cls(str(read["source"]), read["until"], read["accounts"])
            _moment(receipt.until)
            for known in receipt.accounts.values():
                _moment(known.get("equity", receipt.until))
                if "transaction" in known and not (
                    isinstance(known["hash"], str)
                    and int(known["count"]) >= 0
                    and 0 < int(known["transaction"]) < 2**63
                ):
                    raise ValueError("a transaction without its hash")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InputError(f"this is no receipt of results: {error}", "sep results receipt, run at home") from None
        return receipt


@dataclass(frozen=True, slots=True)
class Latched:
    """A pair that the trading machine itself has disabled, though it is enabled here."""

    pair: str
    latched_at: datetime
    changed_by: str | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What was new here. since: up to where results were here before (None: there were none). left_out: orders whose
    signal's model is unknown here. more: there is more to ask for."""

    source: str
    since: datetime | None
    transactions: int
    executions: int
    signals: int
    equity: int
    left_out: int
    decayed: list[str]
    latched: list[Latched]
    more: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    until: datetime
    accounts: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Hash:
    count: int
    hash: str


def receipt_for(database: Database, source: str) -> Receipt:
    """What is here of the trading machine of this identity (`target` of its receipt of bundles)."""
    with database.transaction() as connection:
        kept = queries.one(connection, "results_receipt", _Kept, source=source)
    return Receipt(source) if kept is None else Receipt(source, kept.until.isoformat(), kept.accounts)


def export_results(database: Database, receipt: Receipt, now: datetime) -> str:
    """What happened since a receipt, as a text of two lines.

    Raises InputError for a receipt of another machine, NotAllowed where the books here are not those that it knows.
    """
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        source = queries.value(connection, "bundle_target", str)
        if receipt.source != source:
            raise InputError(f"the receipt is of {receipt.source}, and this is {source}", "another machine was asked")
        accounts = [str(r["account_id"]) for r in queries.many(connection, "results_accounts", Row)]
        since = _moment(receipt.until) - _OVERLAP
        rows: dict[str, list[Any]] = {name: [] for name in _PARTS}
        more = False
        for account in sorted(accounts):
            known = receipt.accounts.get(account, {})
            _compare(connection, account, known)
            for part, query, key in (
                ("transactions", "results_transactions", {"id": int(known.get("transaction", 0))}),
                ("equity", "results_equity", {"since": _moment(known.get("equity", _LONG_AGO.isoformat()))}),
            ):
                text = queries.value(connection, query, str, account_id=account, limit=_AT_ONCE, **key)
                found = json.loads(text)
                more |= len(found) == _AT_ONCE
                rows[part] += found
        until = now
        for part, query, changed in (
            ("executions", "results_executions", "updated_at"),
            ("signals", "results_signals", "decided_at"),
        ):
            rows[part] = json.loads(queries.value(connection, query, str, since=since, limit=_AT_ONCE))
            # By the time of the last one that was asked for; signals of orders may follow it.
            last = rows[part][_AT_ONCE - 1][changed] if len(rows[part]) >= _AT_ONCE else None
            if last is not None:
                more, until = True, min(until, _moment(last) + _OVERLAP)
        rows["pairs"] = json.loads(queries.value(connection, "results_pairs", str))
    body = json.dumps(rows, separators=(",", ":"))
    head = {
        "format": FORMAT, "source": source, "until": until.isoformat(), "more": more,
        "counts": {name: len(rows[name]) for name in _PARTS}, "sha256": hashlib.sha256(body.encode()).hexdigest(),
    }  # fmt: skip
    return json.dumps(head, separators=(",", ":")) + "\n" + body + "\n"


def take_results(database: Database, text: str, asked: str) -> Taken:
    """Take in what a trading machine answered, in one transaction; what is here already stays.

    asked: the identity that was asked. Raises NotAllowed for an answer that is not whole, not of that machine, or that
    tells a transaction otherwise than it is known here; nothing is changed then.
    """
    head, rows = _read(text, asked)
    parts = {name: json.dumps(rows[name]) for name in _PARTS}
    try:
        with database.transaction() as connection:
            before = queries.one(connection, "results_receipt", _Kept, source=asked)
            differs = queries.optional(connection, "transactions_differ", int, rows=parts["transactions"])
            if differs is not None:
                raise NotAllowed(
                    f"results refused, FORKED: transaction {differs} is here with other words of the broker"
                )
            transactions = queries.execute(connection, "take_transactions", rows=parts["transactions"])
            equity = queries.execute(connection, "take_equity", rows=parts["equity"])
            signals = queries.execute(connection, "take_signals", rows=parts["signals"])
            signals += queries.execute(connection, "take_decisions", rows=parts["signals"])
            queries.execute(connection, "take_new_executions", rows=parts["executions"])
            queries.execute(connection, "take_steps", rows=parts["executions"])
            executions = queries.execute(connection, "take_executions", rows=parts["executions"])
            left_out = queries.value(connection, "executions_left_out", int, rows=parts["executions"])
            decayed = [
                r["pair"]
                for r in queries.many(connection, "take_decay", Row, rows=parts["pairs"], until=_moment(head["until"]))
            ]
            latched = queries.many(connection, "latched_there", Latched, rows=parts["pairs"])
            _remember(connection, head, rows)
    except psycopg.DataError as error:
        raise NotAllowed(f"results refused, MALFORMED: {str(error).splitlines()[0]}") from None
    except psycopg.IntegrityError as error:
        raise NotAllowed(f"results refused, CONFLICT: {str(error).splitlines()[0]}") from None
    since = None if before is None else before.until
    return Taken(asked, since, transactions, executions, signals, equity, left_out, decayed, latched, head["more"])


def _compare(connection: Connection, account: str, known: dict[str, Any]) -> None:
    """Raise NotAllowed where the books here hold a transaction otherwise than the receipt's owner has it."""
    number = int(known.get("transaction", 0))
    ours = queries.one(connection, "transaction_hash", _Hash, account_id=account, id=number)
    # A machine that was restored to an earlier moment lacks it for now: the broker tells it again.
    if ours is not None and (ours.hash != known["hash"] or ours.count < known["count"]):
        raise NotAllowed(
            f"results refused, FORKED: transaction {number} of {account} is not what it was when it went home",
            "one of the two databases was changed or restored wrongly; compare with the broker",
        )


def _read(text: str, asked: str) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Head and rows of an answer, whose form is checked."""

    def refuse(why: str) -> NotAllowed:
        return NotAllowed(f"results refused, {why}", "ask again; a transfer that broke off brings nothing")

    lines = text.split("\n")
    if len(text) > LARGEST or len(lines) != 3 or lines[2]:
        raise refuse("ALTERED: it is not whole")
    try:
        head = json.loads(lines[0])
        good = (
            head["format"] == FORMAT
            and isinstance(head["more"], bool)
            and hashlib.sha256(lines[1].encode()).hexdigest() == head["sha256"]
        )
        if not good:
            raise refuse("ALTERED: its hash is not that of its rows")
        rows = json.loads(lines[1])
        _moment(head["until"])
        if any(not isinstance(rows[name], list) or len(rows[name]) != head["counts"][name] for name in _PARTS):
            raise refuse("ALTERED: it does not hold what it says")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise refuse("MALFORMED: it is no answer of a trading machine") from None
    if head["source"] != asked:
        raise refuse(f"WRONG_SOURCE: it is of {head['source']}, and {asked} was asked")
    return head, rows


def _remember(connection: Connection, head: dict[str, Any], rows: dict[str, list[Any]]) -> None:
    kept = queries.one(connection, "results_receipt", _Kept, source=head["source"])
    accounts = {} if kept is None else dict(kept.accounts)
    for row in rows["transactions"]:
        accounts.setdefault(row["account_id"], {})["transaction"] = row["id"]
    for row in rows["equity"]:
        accounts.setdefault(row["account_id"], {})["equity"] = row["time"]
    for account, known in accounts.items():
        number = int(known.get("transaction", 0))
        found = queries.one(connection, "transaction_hash", _Hash, account_id=account, id=number)
        if found is not None:
            known |= asdict(found)
    queries.execute(
        connection,
        "keep_results_receipt",
        source=head["source"],
        until=_moment(head["until"]),
        accounts=json.dumps(accounts),
    )


def _moment(text: str) -> datetime:
    """A time with its zone. Raises ValueError for one without."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment

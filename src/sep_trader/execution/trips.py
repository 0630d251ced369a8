"""What turns the switch without a person, seen in one observation. Pure.

What is compared is compared at one transaction id: the broker's snapshot and our books stand at the same entry of the
record, or nothing is concluded.
"""

from collections.abc import Iterator

from sep_trader.broker.port import AccountSnapshot, GuaranteedStops
from sep_trader.execution.actions import Action, Explain, Note, TurnDown
from sep_trader.execution.marks import Owner, owner_of
from sep_trader.execution.observation import Observation, Seen, Unseen
from sep_trader.execution.reconcile import compare_open_trades
from sep_trader.execution.rows import Books
from sep_trader.execution.settings import TraderSettings
from sep_trader.ledger.entries import same_balance, unexplained
from sep_trader.ledger.transactions import Fill, FillCause, Unreadable
from sep_trader.risk.limits import losses
from sep_trader.risk.protections import OF_LOSSES, Protection
from sep_trader.states import ExecutionStatus


def trips(observation: Observation, settings: TraderSettings) -> Iterator[Action]:
    """Every turn of the switch that this observation calls for, with its cause."""
    for protection, why in _causes(observation, settings):
        yield TurnDown(protection, settings.consequences[protection], why)
    if at_one_id(observation):
        yield from _explained(observation)
        # Told whether or not the switch was turned by it: it may be HALTED already.
        for text in _differences(observation):
            yield Note("reconcile_mismatch", text, "error", key=f"mismatch {text}", every_s=300)


def at_one_id(observation: Observation) -> bool:
    """Whether the broker's snapshot and our books stand at the same transaction."""
    account, books = observation.account, observation.books
    if isinstance(account, Unseen) or isinstance(books, Unseen) or isinstance(observation.record, Unseen):
        return False
    ledger = books.value.ledger
    return ledger is not None and account.value.summary.last_transaction_id == ledger.last_transaction_id


def _causes(observation: Observation, settings: TraderSettings) -> Iterator[tuple[Protection, str]]:
    if observation.account_kind is not None:
        yield Protection.ACCOUNT_KIND, observation.account_kind
    if isinstance(observation.account, Seen):
        yield from _of_account(observation.account.value, observation)
    if isinstance(observation.books, Seen):
        yield from _of_books(observation.books.value, observation, settings)
    if isinstance(observation.record, Seen):
        yield from _of_record(observation)
    since = observation.memory.incomplete_since
    if since is not None and observation.mono - since >= settings.record_patience_s:
        yield Protection.BOOKS, f"the broker's record has had a hole for {observation.mono - since:.0f} s"
    if at_one_id(observation):
        yield from _at_one_id(observation, settings)


def _of_account(snapshot: AccountSnapshot, observation: Observation) -> Iterator[tuple[Protection, str]]:
    if snapshot.guaranteed_stops is GuaranteedStops.REQUIRED:
        yield Protection.ACCOUNT_KIND, "the account requires guaranteed stops, which this system does not set"
    database_id = observation.database_id
    for trade in snapshot.trades:
        if owner_of(trade, database_id) is Owner.ANOTHER:
            why = f"trade {trade.trade_id} was opened by another database ({trade.tag}), ours is {database_id}"
            yield Protection.TWO_DATABASES, why


def _of_books(books: Books, observation: Observation, settings: TraderSettings) -> Iterator[tuple[Protection, str]]:
    if books.elsewhere:
        accounts = ", ".join(books.elsewhere)
        yield Protection.FOREIGN_ACCOUNT, f"orders of ours have not ended on another account: {accounts}"
    if isinstance(observation.account, Seen) and books.ledger is not None:
        snapshot = observation.account.value
        last, booked = snapshot.summary.last_transaction_id, books.ledger.last_transaction_id
        began = books.seen.created_time if books.seen is not None else None
        since = observation.memory.behind_since
        lasting = since is not None and observation.mono - since >= settings.behind_patience_s
        if last < booked and lasting:
            why = f"its record ends at {last}, our books are at {booked}"
            yield Protection.NEW_ACCOUNT, f"the account is another one than that which we booked: {why}"
        elif began is not None and snapshot.created_time is not None and began != snapshot.created_time:
            why = f"it began at {snapshot.created_time:%Y-%m-%d %H:%M:%S}, not at {began:%Y-%m-%d %H:%M:%S} UTC"
            yield Protection.NEW_ACCOUNT, f"the account is another one than that which we booked: {why}"
    unknown = books.unknown_lately + _long_unknown(books, observation, settings)
    if unknown >= settings.limits.max_unknown_orders:
        yield Protection.UNKNOWN_ORDERS, f"{unknown} orders in an hour whose end nobody knows"


def _long_unknown(books: Books, observation: Observation, settings: TraderSettings) -> int:
    since = observation.memory.unsettled_since
    unsettled = (e for e in books.executions if e.status is ExecutionStatus.UNKNOWN)
    return sum(observation.mono - since.get(e.id, observation.mono) >= settings.unknown_counts_s for e in unsettled)


def _of_record(observation: Observation) -> Iterator[tuple[Protection, str]]:
    """What the transactions that are about to be booked say."""
    if isinstance(observation.record, Unseen) or isinstance(observation.books, Unseen):
        return
    ledger = observation.books.value.ledger
    for item in observation.record.value.items:
        if isinstance(item.event, Unreadable):
            why = f"transaction {item.id} ({item.type}) cannot be read: {item.event.cause}"
            yield Protection.UNREADABLE, why
        if isinstance(item.event, Fill) and item.event.cause is FillCause.MARGIN_CLOSEOUT:
            pair = item.event.instrument or "a trade"
            yield Protection.MARGIN_CLOSEOUT, f"the broker closed {pair} for want of margin (transaction {item.id})"
    if ledger is not None:
        for difference in unexplained(ledger.balance, observation.record.value.items):
            yield Protection.BALANCE, str(difference)


def _at_one_id(observation: Observation, settings: TraderSettings) -> Iterator[tuple[Protection, str]]:
    """What the broker shows against what we booked, both at the same transaction."""
    account, books = observation.account, observation.books
    if isinstance(account, Unseen) or isinstance(books, Unseen) or books.value.ledger is None:
        return
    snapshot = account.value
    for text in _differences(observation):
        yield Protection.BOOKS, text
    stated, booked = snapshot.summary.balance, books.value.ledger.balance
    if not same_balance(booked, stated):
        yield Protection.BALANCE, f"the broker's balance is {stated}, our books say {booked}"
    seen = books.value.seen
    reached = None if seen is None else losses(snapshot.summary.nav, seen.marks, settings.limits)
    if reached is not None:
        yield OF_LOSSES[reached.code], reached.text


def _differences(observation: Observation) -> list[str]:
    """What differs between our open trades and the broker's."""
    account, books = observation.account, observation.books
    if isinstance(account, Unseen) or isinstance(books, Unseen):
        return []
    ours = {e.trade_id: e.open_units for e in books.value.executions if e.trade_id is not None}
    return [one.text for one in compare_open_trades(ours, account.value.trades, books.value.database_id)]


def _explained(observation: Observation) -> Iterator[Action]:
    """Take the broker's balance for the truth: the rest is an entry of its own."""
    account, books = observation.account, observation.books
    if isinstance(account, Unseen) or isinstance(books, Unseen) or books.value.ledger is None:
        return
    summary, booked = account.value.summary, books.value.ledger.balance
    if not same_balance(booked, summary.balance):
        yield Explain(summary.last_transaction_id, summary.balance - booked)
        text = f"{summary.balance - booked:+} is unexplained at transaction {summary.last_transaction_id}"
        yield Note("balance_difference", text, "error", every_s=0)

"""What is written to the books: the broker's record, what became of orders, and what the broker shows. Pure."""

from collections.abc import Iterator

from sep_trader.broker.port import AccountSnapshot, Transactions
from sep_trader.execution.actions import Action, Book, Doubt, GiveUp, Note, OpenLedger, See
from sep_trader.execution.marks import owner_of
from sep_trader.execution.observation import Observation, Seen, Unseen
from sep_trader.execution.rows import Books, SeenAccount
from sep_trader.execution.settings import TraderSettings
from sep_trader.execution.trips import at_one_id
from sep_trader.risk.days import broker_day, broker_week
from sep_trader.states import ExecutionStatus


def book_keeping(observation: Observation, settings: TraderSettings) -> Iterator[Action]:
    """Begin the books of a new account; book the record; settle orders; keep what the broker shows."""
    account, books = observation.account, observation.books
    if isinstance(books, Unseen):
        return
    if isinstance(account, Seen) and books.value.ledger is None:
        yield OpenLedger(account.value)
    if _is_another(observation):
        return
    if isinstance(observation.record, Seen) and books.value.ledger is not None:
        late = late_record(observation.record.value, books.value.ledger.last_transaction_id)
        if late is not None:
            yield late
        if observation.record.value.items:
            yield Book(observation.record.value)
            return
    if not at_one_id(observation):
        return
    yield from _settle(books.value, observation, settings)
    if isinstance(account, Seen) and observation.now is not None:
        yield see(account.value, books.value.seen, observation)


def _is_another(observation: Observation) -> bool:
    """An account that is not the one which we booked: nothing of it goes into these books."""
    account, books = observation.account, observation.books
    if isinstance(account, Unseen) or isinstance(books, Unseen) or books.value.ledger is None:
        return False
    began = books.value.seen.created_time if books.value.seen is not None else None
    stated = account.value.created_time
    begun_anew = began is not None and stated is not None and began != stated
    return begun_anew or account.value.summary.last_transaction_id < books.value.ledger.last_transaction_id


def _settle(books: Books, observation: Observation, settings: TraderSettings) -> Iterator[Action]:
    """Orders that the complete record does not hold: looked for, and given up when their time is long over."""
    for execution in books.executions:
        if execution.status is ExecutionStatus.INTENT:
            yield Doubt(execution, "no answer told what became of it, and the record does not hold it yet")
        elif execution.status is ExecutionStatus.UNKNOWN and observation.now is not None:
            since = observation.memory.unsettled_since.get(execution.id, observation.mono)
            waited = observation.mono - since
            over = execution.deadline is None or observation.now > execution.deadline
            if over and waited >= settings.unknown_patience_s:
                last = books.ledger.last_transaction_id if books.ledger else 0
                yield GiveUp(
                    execution, f"the broker's record up to {last} does not hold the order after {waited:.0f} s"
                )


def see(snapshot: AccountSnapshot, before: SeenAccount | None, observation: Observation) -> See:
    """What the broker shows, with the marks of losses brought up to it."""
    now = observation.now
    assert now is not None  # noqa: S101 - asked for with a known time only
    nav, day, week = snapshot.summary.nav, broker_day(now), broker_week(now)
    database_id = observation.database_id
    quotes = {trade.trade_id: (trade.units, observation.price_of(trade.instrument)) for trade in snapshot.trades}
    return See(
        snapshot,
        {trade.trade_id: owner_of(trade, database_id) for trade in snapshot.trades},
        {
            number: quote.bid if units > 0 else quote.ask
            for number, (units, quote) in quotes.items()
            if quote is not None
        },
        nav_high=nav if before is None else max(nav, before.nav_high),
        day=day,
        day_nav=before.day_nav if before is not None and before.day == day else nav,
        week=week,
        week_nav=before.week_nav if before is not None and before.week == week else nav,
    )


def late_record(record: Transactions, booked: int) -> Note | None:
    """Tell a record that has a hole after the booked id, or ends before the account does."""
    if record.complete_since(booked):
        return None
    text = f"the broker's record is not complete between {booked} and {record.last_id}"
    return Note("record_incomplete", text, "warning", key="record")

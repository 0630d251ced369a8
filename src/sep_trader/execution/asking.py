"""Ask the running trader for something, and wait for its answer: what the web process and the Telegram bot do."""

import time
from dataclasses import dataclass
from decimal import Decimal

from sep_trader.errors import InputError
from sep_trader.execution import switch
from sep_trader.execution.rows import Answered
from sep_trader.states import RequestKind, RequestStatus
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

PATIENCE_S = 10.0
_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of it. status: NEW where nobody acted in time; it stays asked then."""

    request_id: int
    status: RequestStatus
    text: str


def ask_and_wait(
    database: Database,
    kind: RequestKind,
    *,
    by: str,
    why: str,
    pair: str | None = None,
    trade_id: int | None = None,
    everything: bool = False,
    setting: str | None = None,
    value: Decimal | None = None,
    patience_s: float = PATIENCE_S,
) -> Reply:
    """Write a request, and wait for the trader's next pass to answer. Raises InputError where no trader ever ran."""
    with database.transaction() as connection:
        account = queries.optional(connection, "traded_account", str)
        if account is None:
            raise InputError("no trader has ever run here", "there is nobody to ask")
        number = switch.ask(
            connection, account, kind=kind, by=by, why=why, pair=pair, trade_id=trade_id, everything=everything,
            setting=setting, value=value,
        )  # fmt: skip
    end = time.monotonic() + patience_s
    while True:
        with database.transaction() as connection:
            found = queries.only(connection, "request", Answered, id=number)
        if found.status is not RequestStatus.NEW:
            return Reply(number, found.status, found.answer or "done")
        if time.monotonic() >= end:
            text = f"asked, and no trader has acted within {patience_s:.0f} s: nothing is done yet"
            return Reply(number, RequestStatus.NEW, text)
        time.sleep(_EVERY_S)

"""An exchange on a hand-written tape, and a short way to trade on it."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson
import pytest
from tests.support.quotes import Candle, Quote, ScriptedQuotes

from sep_trader.exchange.accounts.account import Account, open_account
from sep_trader.exchange.accounts.floor import Floor, Policy
from sep_trader.exchange.market.figures import SECOND
from sep_trader.exchange.market.sessions import STANDARD_HOURS, Sessions
from sep_trader.exchange.market.tape import Tape
from sep_trader.exchange.market.terms import offered
from sep_trader.exchange.matching import placing
from sep_trader.exchange.matching.exchange import Exchange

# Wednesday 2026-01-07T12:00:00Z, when the market is open.
NOON = 1_767_787_200


class Desk:
    """One account on a scripted market."""

    def __init__(
        self,
        quotes: Mapping[str, Sequence[Quote]],
        candles: Mapping[str, Sequence[Candle]] | None = None,
        start: float = NOON,
        always: bool = True,
        balance: str = "100000",
        markup: str = "0.01",
        **account: Any,
    ) -> None:
        source = ScriptedQuotes(quotes, candles)
        sessions = Sessions(always=True) if always else STANDARD_HOURS
        self.floor = Floor({n: offered(n) for n in source.instruments}, Policy(Decimal(markup), sessions=sessions))
        self.exchange = Exchange(self.floor, Tape(source), int(start * SECOND))
        self.account = Account("101-001-0000001-001", **account)
        self.floor.commit(open_account(self.account, Decimal(balance), self.floor.now))
        self.exchange.add_account(self.account)

    def to(self, seconds: float) -> None:
        """Let time pass to NOON plus seconds."""
        self.exchange.advance(int((NOON + seconds) * SECOND))

    def order(self, kind: str = "MARKET", units: object = "1000", instrument: str = "EUR_USD", **more: Any) -> Any:
        """Place an order; returns the body with its status under `status`."""
        order = {"type": kind, "instrument": instrument, "units": units, **more}
        status, body = placing.place_order(self.floor, self.account, {"order": order}, "1")
        return {"status": status, **body}

    def transactions(self, since: int = 2) -> list[dict[str, Any]]:
        """Transactions after an id."""
        return [orjson.loads(line) for line in self.account.record.between(since + 1, self.account.record.last)]

    def kinds(self, since: int = 2) -> list[str]:
        """Types, with the reason where there is one, of the transactions after an id."""
        return [
            entry["type"] + (":" + str(entry["reason"]) if "reason" in entry else "")
            for entry in self.transactions(since)
        ]


@pytest.fixture
def desk() -> Callable[..., Desk]:
    """Make a desk: desk({"EUR_USD": [(seconds from noon, bid, ask), ...]}, ...)."""

    def make(
        quotes: Mapping[str, Sequence[Quote]] | None = None,
        candles: Mapping[str, Sequence[Candle]] | None = None,
        **options: Any,
    ) -> Desk:
        if quotes is None:
            quotes = {} if candles else {"EUR_USD": [(0, "1.10000", "1.10010")]}
        shifted = {n: [(NOON + at, bid, ask) for at, bid, ask in script] for n, script in quotes.items()}
        minutes = {n: [(NOON + at, bid, ask) for at, bid, ask in script] for n, script in (candles or {}).items()}
        return Desk(shifted, minutes, **options)

    return make

"""The candles of a run of the ledger, read again: those that the store has now, and whether they are still the same."""

from dataclasses import dataclass
from typing import Any

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.research.artifact import data_hash
from sep_trader.research.costs import CostModel
from sep_trader.research.spreads import Spreads, filled
from sep_trader.store import candles as candle_store
from sep_trader.store.database import Database


@dataclass(frozen=True, slots=True, eq=False)
class ReadAgain:
    """Candles with a spread each, and the costs of the run. difference: in words, None where they are the same."""

    candles: Candles
    spreads: Spreads
    costs: CostModel
    difference: str | None

    def require_same(self) -> None:
        """Raise InputError where the candles are not those of the run."""
        if self.difference is not None:
            raise InputError(self.difference, "import them again, or run it again")


def read_again(database: Database, pair: str, begun: dict[str, Any]) -> ReadAgain:
    """Read what a run was made on. begun: as the ledger keeps it."""
    spread = Spreads.from_json(begun["costs"]["spread"]).model
    costs = CostModel(**{name: value for name, value in begun["costs"].items() if name != "spread"})
    with database.transaction() as connection:
        candles = candle_store.read_or_make(
            connection,
            pair,
            Granularity.parse(begun["granularity"]),
            parse_rfc3339(begun["candles_from"]),
            parse_rfc3339(begun["candles_until"]),
        )
    whole, spreads = filled(candles, spread, costs.pip)
    same = data_hash(whole) == begun["data_hash"]
    text = f"the store's candles of {pair} are not those of the run: {len(candles)}, then {begun['candles']}"
    return ReadAgain(whole, spreads, costs, None if same else text)

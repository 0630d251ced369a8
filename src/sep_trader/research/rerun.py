"""A run of the ledger again: the same candles, settings and seed must give the same trades, to the byte."""

import uuid
from dataclasses import dataclass

from sep_trader.errors import InputError
from sep_trader.market.clock import parse_rfc3339
from sep_trader.market.granularity import Granularity
from sep_trader.research import ledger
from sep_trader.research.artifact import data_hash
from sep_trader.research.evidence import stressed
from sep_trader.research.exploring import costs_from
from sep_trader.research.identity import code_identity
from sep_trader.research.registration import grid_from
from sep_trader.research.spreads import filled
from sep_trader.research.walk_forward import WalkForwardPlan, walk_forward
from sep_trader.store import candles as candle_store
from sep_trader.store.database import Database


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of a run and of the same run again. differing: what is not the same, in words; none of it is ok."""

    run_id: uuid.UUID
    pair: str
    trades: int
    trades_again: int
    code: str
    code_again: str
    differing: list[str]

    @property
    def ok(self) -> bool:
        """Whether both are the same to the byte."""
        return not self.differing


def rerun(database: Database, run_id: uuid.UUID) -> Rerun:
    """Run a training of the ledger again; nothing is recorded, since nothing new is tried.

    Raises InputError for a run that the ledger does not know or that did not finish.
    """
    with database.transaction() as connection:
        rows = {one.kind: one for one in ledger.entries(connection) if one.run_id == run_id}
    if ledger.Kind.BEGUN not in rows:
        raise InputError(f"the ledger knows no run {run_id}", "see: sep research ledger show")
    if ledger.Kind.FINISHED not in rows:
        raise InputError(f"run {run_id} broke off: there is nothing to compare with", "see: sep research ledger show")
    begun, found = rows[ledger.Kind.BEGUN], rows[ledger.Kind.FINISHED].content
    given = begun.content
    costs, spread = costs_from(given["costs"])
    with database.transaction() as connection:
        candles = candle_store.read_or_make(
            connection,
            begun.pair,
            Granularity.parse(given["granularity"]),
            parse_rfc3339(given["candles_from"]),
            parse_rfc3339(given["candles_until"]),
        )
    candles, _ = filled(candles, spread, costs.pip)
    differing = []
    if data_hash(candles) != given["data_hash"]:
        differing.append(f"the candles are not the same: {len(candles)}, then {given['candles']}")
    result = walk_forward(
        candles, grid_from(given["grid"]), costs, stressed(costs), WalkForwardPlan(**given["plan"]), lambda *_: None
    )
    if result.trades.digest() != found["trades_hash"]:
        differing.append(f"the trades are not the same: {len(result.trades)}, then {found['trades']}")
    return Rerun(
        run_id, begun.pair, found["trades"], len(result.trades), given["code"], code_identity(), differing
    )  # fmt: skip

"""A run of the ledger again: the same candles, settings and seed must give the same trades, to the byte."""

import uuid
from dataclasses import dataclass

from sep_trader.errors import InputError
from sep_trader.research import ledger
from sep_trader.research.evidence import stressed
from sep_trader.research.identity import code_identity
from sep_trader.research.reading import read_again
from sep_trader.research.registration import grid_from
from sep_trader.research.walk_forward import WalkForwardPlan, walk_forward
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
    read = read_again(database, begun.pair, given)
    differing = [] if read.difference is None else [read.difference]
    plan = WalkForwardPlan(**given["plan"])
    result = walk_forward(
        read.candles, grid_from(given["grid"]), read.costs, stressed(read.costs), plan, lambda *_: None
    )
    if result.trades.digest() != found["trades_hash"]:
        differing.append(f"the trades are not the same: {len(result.trades)}, then {found['trades']}")
    return Rerun(
        run_id, begun.pair, found["trades"], len(result.trades), given["code"], code_identity(), differing
    )  # fmt: skip

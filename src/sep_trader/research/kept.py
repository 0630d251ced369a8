"""A training that had finished before: the same settings on the same candles by the same code need no second run."""

import uuid
from dataclasses import dataclass, fields
from typing import Any

from sep_trader.research import ledger
from sep_trader.research.artifact import Model
from sep_trader.research.evidence import Evidence, Shortfall
from sep_trader.research.spreads import Spreads
from sep_trader.research.table import Condition
from sep_trader.research.training import TrainingResult
from sep_trader.states import Verdict
from sep_trader.store.database import Database
from sep_trader.store.queries import queries

_ACCOUNT = (
    "e_value", "e_history", "e_forward", "threshold", "basis", "guard_breaks", "trials", "trades", "expectancy_pips",
    "edge_sd",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Kept:
    """A run that finished, as the tables have it."""

    verdict: Verdict
    reason: str
    evidence: dict[str, Any]
    account: dict[str, Any]
    artifact: dict[str, Any]


def kept(database: Database, pair: str, begun: dict[str, Any]) -> TrainingResult | None:
    """The result of the pair's newest training where it was begun with just this content and has finished, and its
    verdict still stands; else None."""
    with database.transaction() as connection:
        run_id = queries.optional(connection, "same_run", uuid.UUID, pair=pair, body=ledger.body_of(begun))
        row = None if run_id is None else queries.one(connection, "kept_run", _Kept, run_id=run_id)
    if row is None:
        return None
    model = Model.from_json(row.artifact)
    names = {one.name for one in fields(Evidence)}
    return TrainingResult(
        pair=pair,
        verdict=row.verdict,
        reason=row.reason,
        reasons=tuple(Shortfall(one) for one in row.evidence["reasons"]),
        table=[Condition(**one) for one in row.evidence["table"]],
        model_id=model.id,
        evidence=Evidence(**{name: value for name, value in row.evidence.items() if name in names}),
        parameters=model.parameters,
        device="kept",
        spreads=Spreads.from_json((model.costs or {})["spread"]),
        **{name: row.account[name] for name in _ACCOUNT},
    )

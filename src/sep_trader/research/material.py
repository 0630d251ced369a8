"""What a pair is trained on: its candles with a spread each, where those come from, and what trades cost."""

from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.instrument import standard_instrument
from sep_trader.research.artifact import data_hash
from sep_trader.research.catalogue import CATALOGUE, EXPLORED, Design, design_of
from sep_trader.research.costs import CostModel
from sep_trader.research.evidence import stressed
from sep_trader.research.identity import code_identity
from sep_trader.research.registration import registered
from sep_trader.research.spreads import SpreadModel, Spreads, filled
from sep_trader.research.training import TrainingSpec
from sep_trader.states import SpreadSource
from sep_trader.store import candles as candle_store
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import queries


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Candles with a spread each, where the spreads come from, the costs, and the design that books what comes of it
    (None: the training explores)."""

    candles: Candles
    spreads: Spreads
    costs: CostModel
    design: Design | None
    registered: tuple[Design, ...]
    """The pair's own designs."""

    @property
    def stressed(self) -> CostModel:
        """The costs at which trading must still pay."""
        return stressed(self.costs)

    @property
    def design_name(self) -> str:
        """As the ledger has it."""
        return EXPLORED if self.design is None else self.design.name

    def costs_json(self) -> dict[str, Any]:
        """What the trades of a training were charged, as the model and the run keep it."""
        return {**asdict(self.costs), "spread": self.spreads.to_json()}

    def begun(self, spec: TrainingSpec) -> dict[str, Any]:
        """What is about to be tried, as the ledger keeps it."""
        return {
            **self.settings(spec),
            "granularity": spec.granularity.value,
            "data_hash": data_hash(self.candles),
            "candles": len(self.candles),
            "candles_from": from_epoch(int(self.candles.time[0])).isoformat(),
            "candles_until": from_epoch(int(self.candles.time[-1]) + spec.granularity.seconds).isoformat(),
            "code": code_identity(),
            "seed": spec.seed,
            "trials": len(spec.grid.sets()),
        }

    def settings(self, spec: TrainingSpec) -> dict[str, Any]:
        """What was tried, as the run and the ledger keep it."""
        return {"grid": spec.grid.to_json(), "plan": asdict(spec.plan), "costs": self.costs_json()}


@dataclass(frozen=True, slots=True)
class _Rates:
    """The broker's annual financing rates of a pair; None where they were never downloaded."""

    long: Decimal | None
    short: Decimal | None


def load(database: Database, pair: str, spec: TrainingSpec) -> Material:
    """Read what a pair is trained on. Raises InputError where the store has no candles of it."""
    with database.transaction() as connection:
        start = from_epoch(spec.start) if spec.start is not None else None
        end = from_epoch(spec.end) if spec.end is not None else None
        candles = candle_store.read_or_make(connection, pair, spec.granularity, start, end)
        usual = _usual_costs(connection, pair)
        known = tuple(registered(connection, pair))
    if len(candles) == 0:
        raise InputError(f"no {spec.granularity} candles of {pair}", f"sep data import ... --instrument {pair}")
    costs = _stated(usual, spec)
    model = SpreadModel.measured(candles, costs.pip) if spec.measure_spread else spec.spread
    whole, spreads = filled(candles, model, costs.pip)
    return Material(whole, spreads, costs, _design(spec, spreads, costs, usual, known), known)


def _design(
    spec: TrainingSpec, spreads: Spreads, costs: CostModel, usual: CostModel, known: tuple[Design, ...]
) -> Design | None:
    """The design that the training is of; None where it explores: its beginning was chosen, its spreads are a guess
    that changes as candles come in, or it is charged less than the design says."""
    if spec.start is not None or spreads.source not in (SpreadSource.RECORDED, SpreadSource.DECLARED):
        return None
    if costs.financing_long > usual.financing_long or costs.financing_short > usual.financing_short:
        return None
    return design_of((*CATALOGUE, *known), spec.granularity, spec.grid, spec.plan, costs)


def costs_of(connection: Connection, pair: str, spec: TrainingSpec) -> CostModel:
    """What trades of a pair cost: as stated, else as the broker says, else the cost model's own figures."""
    return _stated(_usual_costs(connection, pair), spec)


def _usual_costs(connection: Connection, pair: str) -> CostModel:
    rates = queries.one(connection, "financing_rates", _Rates, pair=pair)
    costs = CostModel(pip=float(standard_instrument(pair).pip))
    if rates is None or rates.long is None or rates.short is None:
        return costs
    return replace(costs, financing_long=float(rates.long), financing_short=float(rates.short))


def _stated(costs: CostModel, spec: TrainingSpec) -> CostModel:
    if spec.financing is not None:
        costs = replace(costs, financing_long=spec.financing, financing_short=spec.financing)
    return costs if spec.slippage_pips is None else replace(costs, slippage_pips=spec.slippage_pips)

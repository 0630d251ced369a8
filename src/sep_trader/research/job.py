"""The training job: candles from the store, the walk-forward, the verdict, and all of it back into the store."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg.types.json import Jsonb

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.clock import from_epoch
from sep_trader.market.granularity import Granularity
from sep_trader.market.instrument import standard_instrument
from sep_trader.research import evidence as ev
from sep_trader.research import ledger
from sep_trader.research.artifact import Model, data_hash
from sep_trader.research.catalogue import EXPLORED, Design, design_of
from sep_trader.research.cluster import run_many
from sep_trader.research.costs import CostModel
from sep_trader.research.identity import code_identity
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.pricing import priced_on
from sep_trader.research.simulate import net_outcomes
from sep_trader.research.spreads import SpreadModel, Spreads, filled
from sep_trader.research.standing import Accounts, Standing, accounts_of, bets_of, most_of, standing_of
from sep_trader.research.strategies import propose
from sep_trader.research.sweep import on_gpu
from sep_trader.research.walk_forward import Grid, OutOfSample, WalkForwardPlan, daily_totals, walk_forward
from sep_trader.states import SpreadSource, Verdict
from sep_trader.store import candles as candle_store
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import queries

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """What to train on and how. start, end: seconds since the epoch, None for all there is."""

    granularity: Granularity = Granularity.M1
    start: int | None = None
    end: int | None = None
    grid: Grid = field(default_factory=Grid)
    plan: WalkForwardPlan = field(default_factory=WalkForwardPlan)
    seed: int = 20_140_501
    device: str = "auto"
    """What sweeps: auto, cpu or cuda."""
    spread: SpreadModel | None = None
    """The spread of candles that came without one."""
    measure_spread: bool = False
    """Measure that spread on the pair's own candles that have one."""
    slippage_pips: float | None = None
    """Slippage at every fill; None for the cost model's."""
    financing: float | None = None
    """Annual rate on a position of either side; None for the broker's rates where they were downloaded."""
    cluster: str | None = None
    """Where several pairs are walked forward: None for processes here, tcp://... for Dask, ray://... for Ray."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A pair's verdict and the model that was stored for it."""

    pair: str
    verdict: Verdict
    reason: str
    reasons: tuple[ev.Shortfall, ...]
    model_id: str
    evidence: ev.Evidence
    parameters: RuleParameters
    device: str
    """What computed it."""
    spreads: Spreads
    """Where the spreads that it was charged come from."""
    e_value: float
    e_history: float
    e_forward: float
    threshold: float
    basis: str
    guard_breaks: int
    trials: int
    trades: int
    expectancy_pips: float
    edge_sd: float | None


@dataclass(frozen=True, slots=True)
class _Input:
    """What a pair is trained on: candles with a spread each, where those come from, and the costs."""

    candles: Candles
    spreads: Spreads
    costs: CostModel

    @property
    def stressed(self) -> CostModel:
        """The costs at which trading must still pay."""
        return ev.stressed(self.costs)


@dataclass(frozen=True, slots=True)
class _Rates:
    """The broker's annual financing rates of a pair; None where they were never downloaded."""

    long: Decimal | None
    short: Decimal | None


@dataclass(frozen=True, slots=True)
class _Examined:
    candles: Candles
    spreads: Spreads
    result: OutOfSample
    costs: CostModel
    parameters: RuleParameters
    evidence: ev.Evidence


def train(database: Database, pairs: Sequence[str], spec: TrainingSpec, progress: Progress) -> list[TrainingResult]:
    """Train and judge the pairs. `progress(pair, done, total)`. No verdict depends on what else is trained.

    Raises InputError for a pair without enough candles; nothing is recorded then.
    """
    inputs = {pair: _load(database, pair, spec) for pair in pairs}
    runs = {pair: _begin(database, pair, given, spec) for pair, given in inputs.items()}
    walked = _walk_all(inputs, spec, progress)
    examined = {pair: _examine(database, pair, inputs[pair], result, spec) for pair, result in walked.items()}
    return [_record(database, runs[pair], pair, one, spec) for pair, one in examined.items()]


def _load(database: Database, pair: str, spec: TrainingSpec) -> _Input:
    with database.transaction() as connection:
        start = from_epoch(spec.start) if spec.start is not None else None
        end = from_epoch(spec.end) if spec.end is not None else None
        candles = candle_store.read_or_make(connection, pair, spec.granularity, start, end)
        rates = queries.one(connection, "financing_rates", _Rates, pair=pair)
    if len(candles) == 0:
        raise InputError(f"no {spec.granularity} candles of {pair}", f"sep data import ... --instrument {pair}")
    costs = _costs(pair, spec, rates)
    model = SpreadModel.measured(candles, costs.pip) if spec.measure_spread else spec.spread
    return _Input(*filled(candles, model, costs.pip), costs)


def _begin(database: Database, pair: str, given: _Input, spec: TrainingSpec) -> uuid.UUID:
    """Write into the ledger what is about to be tried: a run that breaks off was a look, too."""
    run_id = uuid.uuid4()
    content = {
        **_settings(spec, _costs_json(given.costs, given.spreads)),
        "granularity": spec.granularity.value,
        "data_hash": data_hash(given.candles),
        "candles": len(given.candles),
        "candles_from": from_epoch(int(given.candles.time[0])).isoformat(),
        "candles_until": from_epoch(int(given.candles.time[-1]) + spec.granularity.seconds).isoformat(),
        "code": code_identity(),
        "seed": spec.seed,
        "trials": len(spec.grid.sets()),
    }
    with database.transaction() as connection:
        ledger.add(connection, ledger.Kind.BEGUN, run_id, pair, _name(_design(spec, given)), content)
    return run_id


def _design(spec: TrainingSpec, given: "_Input | _Examined") -> Design | None:
    """The design that the run is of; None where it explores: its beginning was chosen, or its spreads are a guess that
    changes as candles come in."""
    if spec.start is not None or given.spreads.source not in (SpreadSource.RECORDED, SpreadSource.DECLARED):
        return None
    return design_of(spec.granularity, spec.grid, spec.plan, given.costs.slippage_pips)


def _name(design: Design | None) -> str:
    return EXPLORED if design is None else design.name


def _settings(spec: TrainingSpec, costs: dict[str, Any]) -> dict[str, Any]:
    """What was tried, as the run and the ledger keep it."""
    return {"grid": asdict(spec.grid), "plan": asdict(spec.plan), "costs": costs}


def _costs(pair: str, spec: TrainingSpec, rates: _Rates | None) -> CostModel:
    """What trades cost: as stated, else as the broker says, else the cost model's own figures."""
    costs = CostModel(pip=float(standard_instrument(pair).pip))
    if rates is not None and rates.long is not None and rates.short is not None:
        costs = replace(costs, financing_long=float(rates.long), financing_short=float(rates.short))
    if spec.financing is not None:
        costs = replace(costs, financing_long=spec.financing, financing_short=spec.financing)
    return costs if spec.slippage_pips is None else replace(costs, slippage_pips=spec.slippage_pips)


def _walk_all(inputs: dict[str, _Input], spec: TrainingSpec, progress: Progress) -> dict[str, OutOfSample]:
    """Walk every pair forward: one pair on all cores, several in processes or on a cluster, a thread each."""
    work = float(sum(len(one.candles) for one in inputs.values())) * len(spec.grid.sets())
    if spec.cluster is None and (len(inputs) == 1 or on_gpu(spec.device, work)):
        return {
            pair: walk_forward(
                one.candles, spec.grid, one.costs, one.stressed, spec.plan, partial(progress, pair), device=spec.device
            )
            for pair, one in inputs.items()
        }
    walk = partial(walk_forward, device=spec.device, threads=1)
    arguments = [(o.candles, spec.grid, o.costs, o.stressed, spec.plan, _no_progress) for o in inputs.values()]
    names = list(inputs)
    found = run_many(walk, arguments, cluster=spec.cluster, finished=lambda number: progress(names[number], 1, 1))
    return dict(zip(names, found, strict=True))


def _no_progress(_done: int, _total: int) -> None:
    """Where a walk runs in another process."""


def _examine(database: Database, pair: str, given: _Input, result: OutOfSample, spec: TrainingSpec) -> _Examined:
    with database.transaction() as connection:
        trials = queries.value(connection, "trials_of_pair", int, pair=pair)
    pip = given.costs.pip
    daily = daily_totals(result.entry_time, result.net, result.days) / pip
    figures = ev.Evidence(
        trades=len(result.net),
        days=len(result.days),
        expectancy=_mean(result.net) / pip,
        stressed_expectancy=_mean(result.stressed) / pip,
        win_rate=_mean((result.net > 0).astype(float)),
        mean_daily=_mean(daily),
        p_value=ev.stationary_bootstrap_p(daily, seed=spec.seed),
        deflated_sharpe=ev.deflated_sharpe(daily, trials),
        trials=trials,
        edge_sd=_edge(result),
    )
    # The set chosen on the most data, that of the last fold, is the one that would trade.
    last = next((p for p in reversed(result.chosen) if p is not None), spec.grid.base)
    return _Examined(given.candles, given.spreads, result, given.costs, last, figures)


def _label_mean(examined: _Examined) -> float | None:
    """Mean net outcome, in pips, of every proposal of the chosen set on its own: with no trade left out because another
    one was open, it says whether the rule or the order of its signals made the result."""
    proposals = priced_on(propose(examined.candles, examined.parameters), examined.candles)
    columns = proposals.side, proposals.stop, proposals.target
    digits = standard_instrument(examined.candles.instrument).display_precision
    labels = net_outcomes(examined.candles, *columns, examined.parameters.horizon, examined.costs, digits=digits)
    labels = labels[np.isfinite(labels)]
    return float(labels.mean()) / examined.costs.pip if len(labels) else None


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _edge(result: OutOfSample) -> float | None:
    """Mean over standard deviation of the outcomes in R."""
    outcomes = result.net / result.trades.stop
    deviation = float(outcomes.std(ddof=1)) if len(outcomes) > 1 else 0.0
    return float(outcomes.mean()) / deviation if deviation > 0 else None


@dataclass(frozen=True, slots=True)
class _Account:
    """The newest accounts of a design, as the ledger has them."""

    design: str
    account: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Tried:
    pair: str


@dataclass(frozen=True, slots=True)
class _Verdict:
    verdict: Verdict | None


def _booked(
    connection: Connection, pair: str, examined: _Examined, design: Design | None, granularity_s: int
) -> tuple[Standing, Accounts | None]:
    """Book what a design found, and tell what the pair's accounts are worth then."""
    rows = queries.many(connection, "newest_accounts", _Account, pair=pair)
    accounts = {one.design: Accounts.from_json(one.account) for one in rows}
    booked = None
    if design is not None:
        trades, costs = examined.result.trades, examined.costs
        bets = bets_of(pair, design.name, trades, costs, granularity_s)
        until = from_epoch(int(examined.candles.time[-1]) + granularity_s)
        most = most_of(trades, bets, costs, granularity_s)
        booked = accounts_of(design, bets, most, until, accounts.get(design.name))
        accounts[design.name] = booked
    tried = [one.pair for one in queries.many(connection, "pairs_tried", _Tried)]
    return standing_of(pair, accounts, tried), booked


def _record(
    database: Database, run_id: uuid.UUID, pair: str, examined: _Examined, spec: TrainingSpec
) -> TrainingResult:
    costs = _costs_json(examined.costs, examined.spreads)
    # Seconds of computing, before the transaction begins.
    label_mean = _label_mean(examined)
    model = Model(pair, spec.granularity, examined.parameters, data_hash(examined.candles), costs)
    design = _design(spec, examined)
    with database.transaction() as connection:
        standing, booked = _booked(connection, pair, examined, design, spec.granularity.seconds)
        before = queries.one(connection, "verdict_of", _Verdict, pair=pair)
        judged = ev.judge(
            examined.evidence,
            examined.spreads,
            standing,
            booked,
            was_ready=before is not None and before.verdict is Verdict.READY,
        )
        account = _account_json(standing, examined, spec)
        found = {
            "verdict": judged.verdict,
            "reasons": list(judged.reasons),
            "data_hash": model.data_hash,
            "model": model.id,
            "trades": len(examined.result.trades),
            "trades_hash": examined.result.trades.digest(),
            "account": None if booked is None else booked.to_json(),
            "standing": account,
        }
        columns = _run_columns(run_id, model, examined, spec, judged, label_mean)
        queries.execute(connection, "insert_research_run", **columns)
        ledger.add(connection, ledger.Kind.FINISHED, run_id, pair, _name(design), found)
        queries.execute(
            connection,
            "insert_model",
            id=model.id,
            pair=pair,
            granularity=spec.granularity.value,
            run_id=run_id,
            artifact=Jsonb(model.to_json()),
        )
        queries.execute(
            connection,
            "record_verdict",
            pair=pair,
            model_id=model.id,
            verdict=judged.verdict,
            reason=judged.reason,
            reasons=Jsonb(list(judged.reasons)),
            account=Jsonb(account),
        )
    return _result(pair, judged, model, examined, standing)


def _account_json(standing: Standing, examined: _Examined, spec: TrainingSpec) -> dict[str, Any]:
    """What the verdict rests on, as trading_pairs keeps it."""
    until = from_epoch(int(examined.candles.time[-1]) + spec.granularity.seconds)
    return {
        **asdict(standing),
        "booked_until": None if standing.booked_until is None else standing.booked_until.isoformat(),
        "candles_until": until.isoformat(),
        "trials": examined.evidence.trials,
        "trades": examined.evidence.trades,
        "expectancy_pips": examined.evidence.expectancy,
        "edge_sd": examined.evidence.edge_sd,
    }


def _result(pair: str, judged: ev.Judgement, model: Model, examined: _Examined, standing: Standing) -> TrainingResult:
    found = examined.evidence
    return TrainingResult(
        pair=pair,
        verdict=judged.verdict,
        reason=judged.reason,
        reasons=judged.reasons,
        model_id=model.id,
        evidence=found,
        parameters=examined.parameters,
        device=examined.result.device,
        spreads=examined.spreads,
        e_value=standing.e_value,
        e_history=standing.e_history,
        e_forward=standing.e_forward,
        threshold=standing.threshold,
        basis=standing.basis,
        guard_breaks=standing.guard_breaks,
        trials=found.trials,
        trades=found.trades,
        expectancy_pips=found.expectancy,
        edge_sd=found.edge_sd,
    )


def _run_columns(
    run_id: uuid.UUID,
    model: Model,
    examined: _Examined,
    spec: TrainingSpec,
    judged: ev.Judgement,
    label_mean: float | None,
) -> dict[str, object]:
    """A row of research_runs: what was tried on which data, and what came of it."""
    candles = examined.candles
    evidence = {
        **asdict(examined.evidence),
        "reasons": list(judged.reasons),
        "label_mean_pips": label_mean,
        "chosen": [p.to_json() if p else None for p in examined.result.chosen],
    }
    return {
        "id": run_id,
        "pair": model.pair,
        "granularity": spec.granularity.value,
        "first_candle": from_epoch(int(candles.time[0])),
        "last_candle": from_epoch(int(candles.time[-1])),
        "candles": len(candles),
        "data_hash": model.data_hash,
        "code_version": code_identity(),
        "settings": Jsonb(_settings(spec, model.costs or {})),
        "seed": spec.seed,
        "trials": len(spec.grid.sets()),
        "verdict": judged.verdict,
        "reason": judged.reason,
        "evidence": Jsonb(evidence),
    }


def _costs_json(costs: CostModel, spreads: Spreads) -> dict[str, Any]:
    """What the trades of a training were charged, as the model and the run keep it."""
    return {**asdict(costs), "spread": spreads.to_json()}

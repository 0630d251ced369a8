"""The training job: candles from the store, the walk-forward, the verdict, and all of it back into the store."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from psycopg.types.json import Jsonb

from sep_trader.market.clock import from_epoch
from sep_trader.research import evidence as ev
from sep_trader.research import ledger
from sep_trader.research.artifact import Model, data_hash
from sep_trader.research.chosen import summary_of
from sep_trader.research.cluster import run_each
from sep_trader.research.examine import Examined, examine
from sep_trader.research.identity import code_identity
from sep_trader.research.kept import kept
from sep_trader.research.material import Material, load
from sep_trader.research.standing import Accounts, Standing, accounts_of, bets_of, most_of, standing_of
from sep_trader.research.sweep import on_gpu
from sep_trader.research.table import Condition, verdict_table
from sep_trader.research.training import Progress, TrainingResult, TrainingSpec
from sep_trader.research.walk_forward import OutOfSample, walk_forward
from sep_trader.research.watch import Watch, watching
from sep_trader.states import Verdict
from sep_trader.store.database import Connection, Database
from sep_trader.store.queries import queries

_YEAR_DAYS = 365.25


def train(
    database: Database,
    pairs: Sequence[str],
    spec: TrainingSpec,
    progress: Progress,
    *,
    may_withdraw: Callable[[list[str]], None] = lambda _pairs: None,
) -> list[TrainingResult]:
    """Train and judge the pairs. `progress(pair, done, total)`. No verdict depends on what else is trained.

    may_withdraw: called before anything is begun, with the pairs whose right to trade this may take; it raises to stop
    it. A training that explores takes no right: the pair keeps its model and its verdict.
    A pair is recorded as soon as it is done: where a run breaks off, what is finished stays. Raises InputError for a
    pair without enough candles; nothing is recorded then.
    """
    given = {pair: load(database, pair, spec) for pair in pairs}
    done: dict[str, TrainingResult] = {}
    for pair, one in list(given.items()):
        before = None if spec.again else kept(database, pair, one.begun(spec))
        if before is not None:
            done[pair] = before
            progress(pair, 1, 1)
            del given[pair]
    if at_risk := _at_risk(database, given):
        may_withdraw(at_risk)
    runs = {pair: _begin(database, pair, one, spec) for pair, one in given.items()}
    for pair, result in _walk_all(given, spec, progress):
        done[pair] = _finish(database, runs[pair], pair, given[pair], result, spec)
    return [done[pair] for pair in dict.fromkeys(pairs)]


def _at_risk(database: Database, given: dict[str, Material]) -> list[str]:
    """The pairs that may trade now and that a design of theirs is about to judge."""
    with database.transaction() as connection:
        before = {pair: queries.one(connection, "pair_before", _Before, pair=pair) or _NEVER for pair in given}
    return [pair for pair, one in given.items() if before[pair].enabled and not before[pair].keeps(one)]


def _begin(database: Database, pair: str, given: Material, spec: TrainingSpec) -> uuid.UUID:
    """Write into the ledger what is about to be tried: a run that breaks off was a look, too."""
    run_id = uuid.uuid4()
    with database.transaction() as connection:
        ledger.add(connection, ledger.Kind.BEGUN, run_id, pair, given.design_name, given.begun(spec))
    return run_id


def _walk_all(given: dict[str, Material], spec: TrainingSpec, progress: Progress) -> Iterator[tuple[str, OutOfSample]]:
    """Walk every pair forward: one pair on all cores, several in processes or on a cluster, a thread each."""
    work = float(sum(len(one.candles) for one in given.values())) * len(spec.grid.sets())
    if spec.cluster is None and (len(given) == 1 or on_gpu(spec.device, work)):
        for pair, one in given.items():
            yield (
                pair,
                walk_forward(
                    one.candles, spec.grid, one.costs, one.stressed, spec.plan, partial(progress, pair),
                    device=spec.device,
                ),
            )  # fmt: skip
        return
    with watching(progress, local=spec.cluster is None) as watch:
        walk = partial(_walk, spec, watch)
        arguments = [(pair, one.candles, one.costs, one.stressed) for pair, one in given.items()]
        for (pair, *_), found in zip(arguments, run_each(walk, arguments, cluster=spec.cluster), strict=True):
            progress(pair, 1, 1)
            yield pair, found


def _walk(spec: TrainingSpec, watch: Watch, pair: str, *given: Any) -> OutOfSample:
    """One pair in a process of its own."""
    candles, costs, stressed = given
    told = partial(watch.tell, pair)
    return walk_forward(candles, spec.grid, costs, stressed, spec.plan, told, device=spec.device, threads=1)


@dataclass(frozen=True, slots=True)
class _Account:
    """The newest accounts of a design, as the ledger has them."""

    design: str
    account: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Tried:
    pair: str


@dataclass(frozen=True, slots=True)
class _Before:
    """What a pair was before: its verdict, what it promised, and when its edge was last found gone."""

    verdict: Verdict | None
    promise: dict[str, Any] | None
    decayed_at: datetime | None
    enabled: bool
    design: str | None
    """The design of the model that the pair has."""

    def keeps(self, given: Material, verdict: Verdict | None = None) -> bool:
        """Whether a training leaves the pair's model, verdict and right as they are.

        A right, or a READY verdict, is taken by a training of its own design only. Another one replaces it where it is
        READY itself; one that explores never is. verdict: that of the training, None before it is known.
        """
        if not (self.enabled or self.verdict is Verdict.READY):
            return False
        other = given.design is None or (self.design is not None and given.design.name != self.design)
        return other and verdict is not Verdict.READY


_NEVER = _Before(None, None, None, enabled=False, design=None)


def _finish(
    database: Database, run_id: uuid.UUID, pair: str, given: Material, result: OutOfSample, spec: TrainingSpec
) -> TrainingResult:
    with database.transaction() as connection:
        trials = queries.value(connection, "trials_of_pair", int, pair=pair)
    # Seconds of computing, before the transaction begins.
    examined = examine(given.candles, given.costs, result, spec.grid.base, trials)
    model = Model(pair, spec.granularity, examined.parameters, data_hash(given.candles), given.costs_json())
    with database.transaction() as connection:
        before = queries.one(connection, "pair_before", _Before, pair=pair) or _NEVER
        standing, booked = _booked(connection, pair, given, result, spec, before.decayed_at)
        judged = ev.judge(
            examined.evidence,
            given.spreads,
            standing,
            booked,
            was_ready=before.verdict is Verdict.READY,
            checks=examined.checks,
            decayed=before.decayed_at is not None,
            own=None if booked is None or given.design is None else booked.worth_of(given.design),
        )
        table = verdict_table(examined.evidence, given.spreads, standing, booked, examined.checks)
        account = _account_json(standing, examined.evidence, given, spec)
        account["since"] = None if before.decayed_at is None else before.decayed_at.isoformat()
        account["promise"] = _promise(connection, judged.verdict, before, result, examined.evidence)
        found = {
            "verdict": judged.verdict,
            "reasons": list(judged.reasons),
            "data_hash": model.data_hash,
            "model": model.id,
            "trades": len(result.trades),
            "trades_hash": result.trades.digest(),
            "account": None if booked is None else booked.to_json(),
            "standing": account,
        }
        columns = _run_columns(run_id, model, given, result, examined, spec, judged, table)
        queries.execute(connection, "insert_research_run", **columns)
        ledger.add(connection, ledger.Kind.FINISHED, run_id, pair, given.design_name, found)
        _record(connection, run_id, model, judged, account, keeps=before.keeps(given, judged.verdict))
    return _result(pair, judged, table, model, given, result.device, examined, standing)


def _booked(
    connection: Connection,
    pair: str,
    given: Material,
    result: OutOfSample,
    spec: TrainingSpec,
    decayed_at: datetime | None,
) -> tuple[Standing, Accounts | None]:
    """Book what a design found, and tell what the pair's accounts are worth then."""
    rows = queries.many(connection, "newest_accounts", _Account, pair=pair)
    accounts = {one.design: Accounts.from_json(one.account) for one in rows}
    # What was won before the edge was gone is over, whichever design won it.
    accounts = {name: one for name, one in accounts.items() if one.since == decayed_at}
    booked, design, seconds = None, given.design, spec.granularity.seconds
    if design is not None:
        bets = bets_of(pair, design.name, result.trades, given.costs, seconds)
        until = from_epoch(int(given.candles.time[-1]) + seconds)
        most = most_of(result.trades, bets, given.costs, seconds)
        booked = accounts_of(design, bets, most, until, accounts.get(design.name), decayed_at)
        accounts[design.name] = booked
    tried = [one.pair for one in queries.many(connection, "pairs_tried", _Tried)]
    return standing_of(pair, accounts, tried, given.registered), booked


def _promise(
    connection: Connection, verdict: Verdict, before: _Before, result: OutOfSample, found: ev.Evidence
) -> dict[str, Any] | None:
    """What the live trades are held to: the edge of the training that made the pair READY, in R. It stays what it was
    while the pair stays READY."""
    if verdict is not Verdict.READY:
        return None
    if before.verdict is Verdict.READY and before.promise is not None:
        return before.promise
    years = max(1.0, len(result.days)) / _YEAR_DAYS
    return {
        "edge_r": found.edge_r,
        "trades_a_year": round(found.trades / years),
        "since": queries.value(connection, "ledger_now", datetime).isoformat(),
    }


def _record(
    connection: Connection,
    run_id: uuid.UUID,
    model: Model,
    judged: ev.Judgement,
    account: dict[str, Any],
    *,
    keeps: bool,
) -> None:
    """The model, and the pair's verdict with what it rests on, unless the pair keeps those that it has."""
    queries.execute(
        connection,
        "insert_model",
        id=model.id,
        pair=model.pair,
        granularity=model.granularity.value,
        run_id=run_id,
        artifact=Jsonb(model.to_json()),
    )
    if keeps:
        return
    queries.execute(
        connection,
        "record_verdict",
        pair=model.pair,
        model_id=model.id,
        verdict=judged.verdict,
        reason=judged.reason,
        reasons=Jsonb(list(judged.reasons)),
        account=Jsonb(account),
    )


def _account_json(standing: Standing, found: ev.Evidence, given: Material, spec: TrainingSpec) -> dict[str, Any]:
    """What the verdict rests on, as trading_pairs keeps it."""
    until = from_epoch(int(given.candles.time[-1]) + spec.granularity.seconds)
    return {
        **asdict(standing),
        "booked_until": None if standing.booked_until is None else standing.booked_until.isoformat(),
        "candles_until": until.isoformat(),
        "trials": found.trials,
        "trades": found.trades,
        "expectancy_pips": found.expectancy,
        "edge_sd": found.edge_sd,
    }


def _result(
    pair: str,
    judged: ev.Judgement,
    table: list[Condition],
    model: Model,
    given: Material,
    device: str,
    examined: Examined,
    standing: Standing,
) -> TrainingResult:
    found = examined.evidence
    return TrainingResult(
        pair=pair,
        verdict=judged.verdict,
        reason=judged.reason,
        reasons=judged.reasons,
        table=table,
        model_id=model.id,
        evidence=found,
        parameters=examined.parameters,
        device=device,
        spreads=given.spreads,
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
    given: Material,
    result: OutOfSample,
    examined: Examined,
    spec: TrainingSpec,
    judged: ev.Judgement,
    table: list[Condition],
) -> dict[str, object]:
    """A row of research_runs: what was tried on which data, and what came of it."""
    candles = given.candles
    evidence = {
        **asdict(examined.evidence),
        "reasons": list(judged.reasons),
        "table": [asdict(one) for one in table],
        "label_mean_pips": examined.label_mean,
        "chosen": [summary_of(p) if p else None for p in result.chosen],
        "learned": result.learned,
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
        "settings": Jsonb(given.settings(spec)),
        "seed": spec.seed,
        "trials": len(spec.grid.sets()),
        "verdict": judged.verdict,
        "reason": judged.reason,
        "evidence": Jsonb(evidence),
    }

"""A backtest on candles of the store: it is written into the ledger as a look, and books nothing."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sep_trader.errors import InputError
from sep_trader.research import ledger
from sep_trader.research.backtest import Backtest, Set, backtest, statistics_json
from sep_trader.research.catalogue import EXPLORED
from sep_trader.research.function_rule import FunctionParameters, parameters_of
from sep_trader.research.learning import KINDS
from sep_trader.research.material import load
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.reading import read_again
from sep_trader.research.spreads import Spreads
from sep_trader.research.training import TrainingSpec
from sep_trader.store.database import Database
from sep_trader.strategies.port import Strategy

RULE = "collapse"
"""The name of the QFH rule among strategies."""


@dataclass(frozen=True, slots=True, eq=False)
class Exploration:
    """A backtest of the store's candles. run_id: its row in the ledger."""

    run_id: uuid.UUID
    backtest: Backtest
    spreads: Spreads
    content: dict[str, Any]


def set_of(strategy: str | Strategy | Callable[..., Any] | None, values: Mapping[str, Any]) -> Set:
    """A parameter set of the QFH rule (no name, or `collapse`) or of another strategy.

    Raises InputError for a name or a value that it does not know.
    """
    if strategy in KINDS:
        raise InputError(
            f"{strategy} learns from candles: it has no parameters before", f"sep train PAIR --strategy {strategy}"
        )
    if strategy is not None and strategy != RULE:
        return parameters_of(strategy, values)
    base = RuleParameters()
    names = {one.name: getattr(base, one.name) for one in fields(base)}
    unknown = set(values) - set(names)
    if unknown:
        raise InputError(f"{RULE} has no parameter '{min(unknown)}'", f"one of {', '.join(names)}")
    chosen = dict(values)
    if "confirm" in chosen:
        chosen["confirm"] = () if chosen["confirm"] == "none" else tuple(str(chosen["confirm"]).split("+"))
    try:
        return replace(base, **{name: type(names[name])(value) for name, value in chosen.items()})
    except (TypeError, ValueError):
        raise InputError(f"not a value for {RULE}: {chosen}", "numbers and names as `sep qfh` shows them") from None


def explore(database: Database, pair: str, parameters: Set, spec: TrainingSpec) -> Exploration:
    """Backtest a set on a pair's candles, and write that into the ledger. spec: candles, spreads and costs."""
    given = load(database, pair, spec)
    made = backtest(given.candles, parameters, given.costs)
    whole = given.begun(spec)
    content = {
        **{
            name: whole[name]
            for name in ("granularity", "data_hash", "candles", "candles_from", "candles_until", "code")
        },
        "costs": given.costs_json(),
        "parameters": parameters.to_json(),
        "kind": "function" if isinstance(parameters, FunctionParameters) else "rule",
        "trials": 1,
        "found": statistics_json(made.statistics),
    }
    run_id = uuid.uuid4()
    with database.transaction() as connection:
        ledger.add(connection, ledger.Kind.EXPLORED, run_id, pair, EXPLORED, content)
    return Exploration(run_id, made, given.spreads, content)


def explored_again(database: Database, run_id: uuid.UUID, pair: str, content: dict[str, Any]) -> Exploration:
    """The backtest of a row of the ledger, on the candles that the store has now.

    Raises InputError where they are not those that it was made on, or where its strategy was changed.
    """
    given = read_again(database, pair, content)
    given.require_same()
    reader = FunctionParameters.from_json if content["kind"] == "function" else RuleParameters.from_json
    parameters: Set = reader(content["parameters"])
    return Exploration(run_id, backtest(given.candles, parameters, given.costs), given.spreads, content)

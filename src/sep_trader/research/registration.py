"""Designs that a person registers: written into the ledger before the candles that they bet on exist.

The k-th registration of a pair has the weight 6 / (pi k)^2 in the second half of the pair's clean account, whatever it
brings; it is never removed, and a design that was changed is another registration.
"""

import uuid
from dataclasses import asdict, dataclass
from typing import Any

from sep_trader.errors import InputError
from sep_trader.market.granularity import Granularity
from sep_trader.research import ledger
from sep_trader.research.catalogue import CATALOGUE, Design, design_of
from sep_trader.research.costs import CostModel
from sep_trader.research.function_grid import FunctionGrid
from sep_trader.research.grid import Grid
from sep_trader.research.identity import code_identity
from sep_trader.research.learning import LearnedGrid
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.plain import plain
from sep_trader.research.walk_forward import AnyGrid, WalkForwardPlan
from sep_trader.research.weights import nth_weight
from sep_trader.store.database import Connection
from sep_trader.store.queries import queries

PREFIX = "registration-"


@dataclass(frozen=True, slots=True)
class _Registered:
    design: str
    at: Any
    body: dict[str, Any]


def register(
    connection: Connection,
    pair: str,
    granularity: Granularity,
    grid: AnyGrid,
    plan: WalkForwardPlan,
    costs: CostModel,
) -> tuple[Design, ledger.Head]:
    """Register a design for a pair; gives it, and the head of the ledger with it. Raises InputError for one that may
    bet already."""
    known = registered(connection, pair)
    again = design_of((*CATALOGUE, *known), granularity, grid, plan, costs)
    if again is not None:
        raise InputError(f"{again.name} of {pair} is this design already", "train it: it bets by itself")
    name = f"{PREFIX}{len(known) + 1}"
    content = {
        "granularity": granularity.value,
        "grid": grid.to_json(),
        "plan": asdict(plan),
        "least_slippage_pips": costs.slippage_pips,
        "code": code_identity(),
    }
    entry = ledger.add(connection, ledger.Kind.REGISTERED, uuid.uuid4(), pair, name, content)
    weight = nth_weight(len(known) + 1)
    design = Design(name, granularity, weight, entry.at, plain(grid.to_json()), plan, costs.slippage_pips)
    return design, ledger.Head(entry.number, entry.hash)


def registered(connection: Connection, pair: str) -> list[Design]:
    """The designs that were registered for a pair, oldest first."""
    rows = queries.many(connection, "registrations", _Registered, pair=pair)
    return [
        Design(
            name=row.design,
            granularity=Granularity.parse(row.body["granularity"]),
            weight=nth_weight(number),
            released=row.at,
            grid=row.body["grid"],
            plan=WalkForwardPlan(**row.body["plan"]),
            least_slippage_pips=float(row.body["least_slippage_pips"]),
        )
        for number, row in enumerate(rows, 1)
    ]


def grid_from(given: dict[str, Any]) -> AnyGrid:
    """A grid as the ledger keeps it. Raises InputError where it is of a strategy whose file is gone or was changed."""
    if "model" in given:
        return LearnedGrid.from_json(given)
    if "strategy" in given:
        return FunctionGrid.from_json(given)
    columns = {name: tuple(value) for name, value in given.items() if name not in ("base", "exits", "confirm")}
    exits = tuple((float(stop), float(target), int(horizon)) for stop, target, horizon in given["exits"])
    confirm = tuple(tuple(one) for one in given.get("confirm", ()))
    return Grid(base=RuleParameters.from_json(given["base"]), exits=exits, confirm=confirm, **columns)

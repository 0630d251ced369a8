"""What a training is asked, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sep_trader.market.granularity import Granularity
from sep_trader.research.evidence import Evidence, Shortfall
from sep_trader.research.function_rule import FunctionParameters
from sep_trader.research.grid import Grid
from sep_trader.research.learned import LearnedParameters
from sep_trader.research.parameters import RuleParameters
from sep_trader.research.spreads import SpreadModel, Spreads
from sep_trader.research.table import Condition
from sep_trader.research.walk_forward import AnyGrid, WalkForwardPlan
from sep_trader.states import Verdict

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """What to train on and how. start, end: seconds since the epoch, None for all there is."""

    granularity: Granularity = Granularity.M1
    start: int | None = None
    end: int | None = None
    grid: AnyGrid = field(default_factory=Grid)
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
    again: bool = True
    """Whether a pair is trained again whose newest training was the same on the same candles by the same code."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A pair's verdict and the model that was stored for it."""

    pair: str
    verdict: Verdict
    reason: str
    reasons: tuple[Shortfall, ...]
    table: list[Condition]
    """Each condition with its figure and limit, and information beside it."""
    model_id: str
    evidence: Evidence
    parameters: RuleParameters | FunctionParameters | LearnedParameters
    device: str
    """What computed it; `kept` where the same training had finished before."""
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

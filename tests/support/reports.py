"""Reports of random walks."""

from pathlib import Path

from sep_trader.reports.page import page_of
from sep_trader.reports.source import build, find_target
from sep_trader.research.exploring import explore, set_of
from sep_trader.research.grid import Grid
from sep_trader.research.job import train
from sep_trader.research.training import TrainingSpec
from sep_trader.research.walk_forward import WalkForwardPlan
from sep_trader.store.database import Database

CHEAP = {"slippage_pips": 0.0, "financing": 0.0}


def backtest_page(database: Database, folder: Path) -> Path:
    """A report of a backtest of EUR_USD."""
    spec = TrainingSpec(slippage_pips=0.0, financing=0.0)
    made = explore(database, "EUR_USD", set_of("donchian_breakout", {}), spec)
    return _written(database, str(made.run_id), folder / "backtest.html")


def training_page(database: Database, folder: Path) -> Path:
    """A report of a training of EUR_USD."""
    spec = TrainingSpec(
        grid=Grid(window=(16,), theta_run=(0.3,)), plan=WalkForwardPlan(min_trades=5), slippage_pips=0.0, financing=0.0
    )
    train(database, ["EUR_USD"], spec, lambda *_: None)
    return _written(database, "EUR_USD", folder / "training.html")


def _written(database: Database, target: str, path: Path) -> Path:
    path.write_text(page_of(build(database, find_target(database, target))), encoding="utf-8")
    return path

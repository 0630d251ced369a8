"""Live is the backtest: the real trader on recorded quotes."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sep_trader.cli.trade import app
from sep_trader.market.granularity import Granularity
from sep_trader.research.artifact import Model
from sep_trader.research.grid import Grid
from sep_trader.research.parameters import RuleParameters

WIDE = replace(Grid().sets()[0], stop_ranges=14.0, target_ranges=16.0, horizon=45)


def replayed(tmp_path: Path, folder: Path, start: str, end: str, parameters: RuleParameters) -> dict[str, Any]:
    model = tmp_path / "model.json"
    model.write_text(json.dumps(Model("EUR_USD", Granularity.M1, parameters, "0" * 64).to_json()))
    span = ["--pair", "EUR_USD", "--data", str(folder), "--from", start, "--to", end]
    done = CliRunner().invoke(app, ["replay", *span, "--model", str(model), "--json"])
    assert done.output, done.exception
    return dict(json.loads(done.output))


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        ("tick", "2014-05-14T06:00:00Z", "2014-05-15T16:00:00Z"),
        ("minute", "2014-05-12T00:00:00Z", "2014-05-14T00:00:00Z"),
    ],
)
def test_live_decides_trades_and_earns_what_the_backtest_on_bid_and_ask_says(
    kind: str, start: str, end: str, tmp_path: Path, data_dir: Path
) -> None:
    found = replayed(tmp_path, data_dir / "lean-oanda" / kind, start, end, WIDE)
    assert found["differing"] == []
    assert found["decisions"] == found["decisions_identical"] > 100
    assert found["trades"] == found["identical"] > 20
    assert Decimal(found["residual"]) == 0
    whole = Decimal(found["backtest"]) + sum(Decimal(amount) for amount in found["parts"].values())
    assert abs(whole - Decimal(found["live"])) <= Decimal("0.001"), "the parts are printed to four digits each"
    assert found["speed"] > 500


@pytest.mark.parametrize(
    ("start", "end"),
    [("2014-05-10T06:00:00Z", "2014-05-11T18:00:00Z"), ("2016-05-14T06:00:00Z", "2016-05-14T09:00:00Z"),
     ("2013-05-14T06:00:00Z", "2013-05-14T09:00:00Z")],
)  # fmt: skip
def test_a_span_in_which_nothing_was_quoted_is_not_the_same_as_the_backtest(
    start: str, end: str, data_dir: Path
) -> None:
    span = ["--pair", "EUR_USD", "--data", str(data_dir / "lean-oanda"), "--from", start, "--to", end]
    done = CliRunner().invoke(app, ["replay", *span])
    assert done.exit_code != 0 and "no quotes of EUR_USD" in str(done.exception)


def test_a_folder_without_quotes_is_said(tmp_path: Path) -> None:
    span = [
        "--pair",
        "EUR_USD",
        "--data",
        str(tmp_path),
        "--from",
        "2014-05-14T06:00:00Z",
        "--to",
        "2014-05-15T16:00:00Z",
    ]
    done = CliRunner().invoke(app, ["replay", *span])
    assert done.exit_code != 0 and "no recorded quotes" in str(done.exception)

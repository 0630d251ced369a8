"""`sep qfh devices`: what sweeps run on here, with and without a card."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from sep_trader.cli.qfh import app
from sep_trader.research.kernels import cuda, plan


def run(*options: str) -> Any:
    return CliRunner().invoke(app, ["devices", *options], env={"COLUMNS": "80"})


def with_a_card(monkeypatch: pytest.MonkeyPatch, difference: float) -> None:
    """A card that computes what the CPU does, and adds a difference to every sum."""

    def on_the_cpu(series: Any, rules: Any, sets: Any, *_: object) -> Any:
        return [one + difference for one in plan.run_cpu(series, rules, sets, 1)], 1

    for name, value in (("why_not", None), ("name", "a card"), ("driver", "CUDA 12.9")):
        monkeypatch.setattr(cuda, name, lambda value=value: value)
    monkeypatch.setattr(cuda, "run", on_the_cpu)


def test_without_a_card_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "why_not", lambda: "no NVIDIA driver or no GPU")
    shown = run("--json")
    assert shown.exit_code == 0
    found = json.loads(shown.stdout)
    assert (found["card"], found["check"], found["missing"]) == (None, None, "no NVIDIA driver or no GPU")
    assert found["trades"] > 100_000
    assert found["libraries"]["numba"]
    table = run()
    assert table.exit_code == 0
    assert "none: no NVIDIA driver or no GPU" in table.stdout
    assert max(map(len, table.stdout.splitlines())) <= 80


def test_a_card_that_agrees_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_card(monkeypatch, 0.0)
    found = json.loads(run("--json").stdout)
    assert (found["card"], found["driver"], found["check"]) == ("a card", "CUDA 12.9", True)
    assert "the same to the last bit" in " ".join(run().stdout.split())


def test_a_card_that_differs_in_one_bit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_card(monkeypatch, 1e-12)
    shown = run()
    assert shown.exit_code == 1
    assert "DIFFERENT" in shown.stdout


def test_a_card_that_fails_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise cuda.CardError("the GPU failed: CUDA_ERROR_OUT_OF_MEMORY", "use --device cpu")

    with_a_card(monkeypatch, 0.0)
    monkeypatch.setattr(cuda, "run", broken)
    shown = run("--json")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["missing"] == "the GPU failed: CUDA_ERROR_OUT_OF_MEMORY (use --device cpu)"

"""Simulated days: nothing is violated, every cell comes up, the same seed is the same day, and a bug is found.

`make simulate` lives through 20,000 of them; here are as many as a test may take.
"""

import shutil
from pathlib import Path

import pytest

from sep_trader.simulation.cells import CELLS, NOT_APPLICABLE, explained
from sep_trader.simulation.days import simulate
from sep_trader.simulation.schedule import Schedule, schedule_of
from tests.simulation.planted import bugs, plant, simulated

SOURCE = Path(__file__).parents[2] / "src"


def test_no_invariant_is_violated_in_sixty_days() -> None:
    """`make simulate` lives through 400, and asks that every cell of the table has come up."""
    report = simulate(range(1001, 1061))
    assert [(one.seed, one.invariant, one.text) for one in report.violations] == []
    assert len(report.unmet) < 80
    assert report.trades > 150, "a trader that does nothing violates nothing"


def test_the_same_seeds_give_the_same_days_to_the_last_byte() -> None:
    first, again = simulate(range(200, 212)), simulate(range(200, 212), workers=1)
    assert first.traces == again.traces
    assert len(set(first.traces.values())) == 12


def test_the_table_names_every_fault_in_words_and_says_why_some_cannot_happen() -> None:
    assert 200 <= len(CELLS) == len(set(CELLS))
    assert all(explained(cell) for cell in CELLS)
    assert all(NOT_APPLICABLE.values()) and not NOT_APPLICABLE.keys() & set(CELLS)


def test_cells_come_up_in_turn() -> None:
    planned = [p.cell for seed in range(1, 400) for p in (*schedule_of(seed).faults, *schedule_of(seed).acts)]
    least = min(planned.count(cell) for cell in CELLS)
    assert least >= 6, "each is planned as often as the others, give or take a round"


def test_a_schedule_can_be_written_down_and_read_again() -> None:
    schedule = schedule_of(17)
    assert Schedule.from_json(schedule.to_json()) == schedule
    assert schedule.without(0).parts == schedule.parts - 1


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_a_planted_bug_fits_the_program(bug, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """`make planted` plants each and looks whether it is found; that they fit is seen here, at once."""
    copy = tmp_path / "src"
    for edit in bug.edits:
        target = copy / "sep_trader" / edit.file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy(SOURCE / "sep_trader" / edit.file, target)
    plant(bug, copy)
    assert bug.invariants and bug.exposed_by


@pytest.mark.parametrize(
    "name", ["the booked id advances in a transaction of its own", "the whole position is closed instead of the trade"]
)
def test_a_planted_bug_is_found(name: str, tmp_path: Path) -> None:
    bug = next(one for one in bugs() if one.name == name)
    copy = tmp_path / "src"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    plant(bug, copy)
    report = simulated(copy, 40)
    assert [one["invariant"] for one in report["violations"]][:1] == [bug.invariants[0]]


def test_there_are_thirty_bugs_and_each_has_a_name() -> None:
    assert len({bug.name for bug in bugs()}) == 30

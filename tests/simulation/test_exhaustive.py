"""Every way that two signals can go with one fault. `make exhaustive` goes up to three."""

from sep_trader.simulation.exhaustive import exhaust


def test_no_way_with_one_fault_violates_an_invariant() -> None:
    result = exhaust(most_faults=1)
    assert [(one.invariant, one.text, one.path) for one in result.found.violations] == []
    assert result.found.states > 150 and result.found.transitions > 500
    assert result.found.ends > 10, "the ways come to rest, and there the books are those of the broker"

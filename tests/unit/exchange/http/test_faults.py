import pytest

from sep_trader.exchange.http.faults import BadRule, Faults


def strikes(faults: Faults, route: str, times: int) -> list[bool]:
    return [bool(faults.strike(route)) for _ in range(times)]


def test_the_nth_fitting_request_is_struck() -> None:
    faults = Faults()
    faults.add({"kind": "drop_after", "route": "POST orders", "nth": 2})
    assert strikes(faults, "GET orders", 3) == [False] * 3
    assert strikes(faults, "POST orders", 4) == [False, True, False, False]


def test_chance_can_be_repeated_and_limited() -> None:
    def run(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add({"kind": "unauthorized", "probability": 0.3, "times": 5})
        return strikes(faults, "GET summary", 100)

    assert run(1) == run(1) != run(2)
    assert sum(run(1)) == 5


def test_several_faults_meet_and_can_be_lifted() -> None:
    faults = Faults()
    faults.add({"kind": "stale_price", "seconds": 30})
    faults.add({"kind": "clock_skew", "seconds": -5})
    assert set(faults.strike("GET pricing")) == {"stale_price", "clock_skew"}
    assert [rule["struck"] for rule in faults.body()] == [1, 1]
    faults.clear()
    assert faults.strike("GET pricing") == {}


@pytest.mark.parametrize("rule", [{}, {"kind": "x"}, {"kind": "stall", "nth": "two"}, {"kind": "stall", "odd": 1}, 5])
def test_a_rule_that_makes_no_sense_is_refused(rule: object) -> None:
    with pytest.raises(BadRule):
        Faults().add(rule)

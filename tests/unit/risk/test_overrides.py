"""From afar a limit only gets stricter: for every pair, and for any numbers."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sep_trader.risk.limits import RiskLimits
from sep_trader.risk.overrides import MAY_TIGHTEN, tightened

VALUES = st.dictionaries(
    st.sampled_from([*MAY_TIGHTEN, "cooldown_minutes", "nonsense"]),
    st.decimals(min_value="0.0001", max_value=1000, places=4),
)


@given(VALUES)
def test_no_limit_is_ever_looser(overrides: dict[str, Decimal]) -> None:
    own, found = RiskLimits(), tightened(RiskLimits(), overrides)
    for name in MAY_TIGHTEN:
        wanted = overrides.get(name)
        assert getattr(found, name) <= getattr(own, name)
        if wanted is not None and wanted < getattr(own, name):
            assert getattr(found, name) <= wanted
        assert type(getattr(found, name)) is type(getattr(own, name))
    assert found.cooldown_minutes == own.cooldown_minutes


def test_nothing_asked_changes_nothing() -> None:
    own = RiskLimits()
    assert tightened(own, {}) is own

"""What a fold chose, in few values: for a list, a table or a count. Pure."""

from typing import Any

from sep_trader.research.learned import LearnedParameters


def summary_of(parameters: Any) -> dict[str, Any]:
    """A parameter set as JSON values; of a model that learned only what was chosen, not what was fitted."""
    if isinstance(parameters, LearnedParameters):
        names = ("threshold", "stop_ranges", "target_ranges", "horizon")
        return {"model": parameters.buy.to_json()["kind"], **{name: getattr(parameters, name) for name in names}}
    told: dict[str, Any] = parameters.to_json()
    return told

"""The model artifact: everything a signal needs, as JSON, named by the hash of its content."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sep_trader.errors import InputError
from sep_trader.market.candles import Candles
from sep_trader.market.granularity import Granularity
from sep_trader.research.function_rule import FunctionParameters
from sep_trader.research.learned import LearnedParameters
from sep_trader.research.parameters import RuleParameters

FORMAT = 1
_KINDS = {RuleParameters: "rule", FunctionParameters: "function", LearnedParameters: "learned"}


@dataclass(frozen=True, slots=True)
class Model:
    """A trained strategy for one pair and granularity."""

    pair: str
    granularity: Granularity
    parameters: RuleParameters | FunctionParameters | LearnedParameters
    data_hash: str
    costs: dict[str, Any] | None = None
    """What its training was charged, and where its spreads come from; None for a model of an earlier version."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "format": FORMAT,
            "kind": _KINDS[type(self.parameters)],
            "pair": self.pair,
            "granularity": self.granularity.value,
            "parameters": self.parameters.to_json(),
            "data_hash": self.data_hash,
            **({} if self.costs is None else {"costs": self.costs}),
        }

    @property
    def side_closes(self) -> bool:
        """Whether a proposal of the other side closes a trade."""
        return isinstance(self.parameters, FunctionParameters) and self.parameters.side_closes

    @property
    def id(self) -> str:
        """Sixteen hex digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Model":
        """Read a stored artifact; raises InputError when it is of another kind or format."""
        readers: dict[str, Callable[[Any], RuleParameters | FunctionParameters | LearnedParameters]] = {
            "rule": RuleParameters.from_json,
            "function": FunctionParameters.from_json,
            "learned": LearnedParameters.from_json,
        }
        if data.get("format") != FORMAT or data.get("kind") not in readers:
            raise InputError(
                f"the model artifact is of format {data.get('format')} and kind {data.get('kind')}",
                f"this version reads format {FORMAT}, kind {' or '.join(readers)}: train again",
            )
        try:
            return cls(
                pair=data["pair"],
                granularity=Granularity.parse(data["granularity"]),
                parameters=readers[data["kind"]](data["parameters"]),
                data_hash=data["data_hash"],
                costs=data.get("costs"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"a model artifact cannot be read: {type(error).__name__}: {error}", "train again"
            ) from None


def data_hash(candles: Candles) -> str:
    """SHA-256 over the candle columns as little-endian bytes: the same data gives the same hash anywhere."""
    digest = hashlib.sha256(f"{candles.instrument} {candles.granularity}".encode())
    for column in (candles.time, candles.open, candles.high, candles.low, candles.close, candles.spread):
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()

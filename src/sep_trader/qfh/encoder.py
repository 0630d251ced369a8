"""Which question a bit answers about a candle."""

import re
from dataclasses import dataclass

from sep_trader.errors import InputError

KINDS = ("direction", "body", "magnitude")
MAX_MOVES = 4096


@dataclass(frozen=True, slots=True)
class Encoder:
    """How candles become bits: `direction` of the close, `body` of the candle, or `magnitude` of the move.

    m: how many earlier moves of the session the median of `magnitude` is taken over (1..4096); the other kinds
    do not use it. Raises InputError for an unknown kind or an m outside its range.
    """

    kind: str = "direction"
    m: int = 256

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"unknown encoder '{self.kind}'", f"one of {_known()}")
        if not 1 <= self.m <= MAX_MOVES:
            raise InputError(f"encoder magnitude({self.m}) is outside 1..{MAX_MOVES} moves", "such as magnitude(256)")

    @classmethod
    def parse(cls, text: str) -> "Encoder":
        """Read `direction`, `body`, `magnitude` or `magnitude(128)`; raises InputError that lists the known ones."""
        found = re.fullmatch(r"\s*([a-z]+)\s*(?:\(\s*(\d{1,9})\s*\))?\s*", text.lower())
        if found is None or found[1] not in KINDS or (found[2] and found[1] != "magnitude"):
            raise InputError(f"unknown encoder '{text}'", f"one of {_known()}")
        return cls(found[1], int(found[2])) if found[2] else cls(found[1])

    @property
    def warmup(self) -> int:
        """Candles at the start of a session that have no bit."""
        return self.m + 1 if self.kind == "magnitude" else 1

    def __str__(self) -> str:
        return f"magnitude({self.m})" if self.kind == "magnitude" else self.kind


def _known() -> str:
    return "direction, body, magnitude, magnitude(M)"

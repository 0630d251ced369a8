"""Candle granularities, named as OANDA names them."""

from enum import StrEnum

from sep_trader.errors import InputError

_SECONDS = {
    "S5": 5, "S10": 10, "S15": 15, "S30": 30,
    "M1": 60, "M2": 120, "M4": 240, "M5": 300, "M10": 600, "M15": 900, "M30": 1800,
    "H1": 3600, "H2": 7200, "H3": 10800, "H4": 14400, "H6": 21600, "H8": 28800, "H12": 43200,
    "D": 86400, "W": 604800, "M": 2592000,
}  # fmt: skip


class Granularity(StrEnum):
    """The length of a candle. W and M have a nominal length: weeks shift with daylight saving, months vary."""

    S5 = "S5"
    S10 = "S10"
    S15 = "S15"
    S30 = "S30"
    M1 = "M1"
    M2 = "M2"
    M4 = "M4"
    M5 = "M5"
    M10 = "M10"
    M15 = "M15"
    M30 = "M30"
    H1 = "H1"
    H2 = "H2"
    H3 = "H3"
    H4 = "H4"
    H6 = "H6"
    H8 = "H8"
    H12 = "H12"
    D = "D"
    W = "W"
    M = "M"

    @property
    def seconds(self) -> int:
        """Nominal length in seconds."""
        return _SECONDS[self.value]

    @property
    def code(self) -> int:
        """The stable small integer that stands for it in the candle table's key."""
        return list(Granularity).index(self) + 1

    @classmethod
    def parse(cls, text: str) -> "Granularity":
        """Read a granularity's name; raises InputError that lists the known ones."""
        try:
            return cls(text.upper())
        except ValueError:
            raise InputError(f"unknown granularity '{text}'", f"one of {', '.join(cls)}") from None

    @classmethod
    def from_code(cls, code: int) -> "Granularity":
        """The granularity of a stored code."""
        return list(cls)[code - 1]

"""Lines of a text file as columns: whole columns are converted at once, and a bad field costs its own row only."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sep_trader.market.clock import parse_rfc3339

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken: its line in the file (from 1), why, and its text."""

    line: int
    reason: str
    text: str


@dataclass(slots=True)
class Sheet:
    """The rows of a file that have the right number of fields, and what is wrong with any row, by index."""

    texts: list[str]
    lines: list[int]
    rows: list[list[str]]
    problems: dict[int, str] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)

    @classmethod
    def split(cls, text: str, separator: str, width: int, *, skip_lines: int = 0) -> "Sheet":
        """Cut a text into rows of at least `width` fields; others are refused, empty lines are passed over."""
        sheet = cls([], [], [])
        for number, line in enumerate(text.splitlines(), start=1):
            if number <= skip_lines or not line.strip():
                continue
            row = next(csv.reader([line], delimiter=separator)) if '"' in line else line.split(separator)
            if len(row) < width:
                sheet.refused.append(Refused(number, f"{len(row)} fields where {width} are needed", line))
                continue
            sheet.texts.append(line)
            sheet.lines.append(number)
            sheet.rows.append(row)
        return sheet

    def __len__(self) -> int:
        return len(self.rows)

    def floats(self, column: int) -> Float:
        """A column as numbers. A value that is not a number becomes NaN, and a problem of its row."""
        return self._convert(column, float, np.nan)

    def integers(self, column: int) -> Int:
        """A column as whole numbers (also written 5.0). Any other value becomes 0, and a problem of its row."""
        numbers = self._convert(column, float, 0.0)
        with np.errstate(invalid="ignore"):
            bad = ~np.isfinite(numbers) | (numbers != np.rint(numbers)) | (np.abs(numbers) > 2.0**53)
        for index in np.flatnonzero(bad).tolist():
            self.problems.setdefault(index, f"not a whole number: '{self.rows[index][column].strip()[:40]}'")
        return np.where(bad, 0.0, numbers).astype(np.int64)

    def times(self, column: int, to_iso: Callable[[str], str]) -> Int:
        """A column as seconds since the epoch. `to_iso` gives YYYY-MM-DDTHH:MM:SS in UTC, or raises ValueError."""
        fields = [row[column] for row in self.rows]
        try:
            return np.array([to_iso(f) for f in fields], "datetime64[s]").astype(np.int64)
        except (ValueError, OverflowError):
            return self._one_by_one(
                fields, lambda f: float(np.datetime64(to_iso(f), "s").astype(np.int64)), 0.0, "time"
            ).astype(np.int64)

    def _convert(self, column: int, kind: Callable[[str], float], missing: float) -> Float:
        fields = [row[column] for row in self.rows]
        try:
            return np.array(fields, dtype=np.str_).astype(np.float64) if fields else np.zeros(0)
        except ValueError:
            return self._one_by_one(fields, kind, missing, "number")

    def _one_by_one(self, fields: list[str], kind: Callable[[str], float], missing: float, name: str) -> Float:
        values = np.full(len(fields), missing)
        for index, text in enumerate(fields):
            try:
                values[index] = kind(text)
            except (ValueError, OverflowError):
                self.problems.setdefault(index, f"not a {name}: '{text.strip()[:40]}'")
        return values


def iso_of_rfc3339(text: str) -> str:
    """An RFC 3339 time, or seconds since the epoch, as YYYY-MM-DDTHH:MM:SS in UTC; raises ValueError."""
    if len(text) == 20 and text[19] == "Z" and text[10] == "T":
        return text[:19]
    if text.strip().isdigit():
        if not 8 <= len(text.strip()) <= 10:
            raise ValueError("not seconds since 1970")
        return str(np.datetime64(int(text), "s"))
    try:
        when = parse_rfc3339(text)
    except Exception as error:
        raise ValueError(str(error)) from None
    if when.microsecond:
        raise ValueError("not a whole second")
    return when.replace(tzinfo=None).isoformat()

"""A text file as columns of texts: delimiter, header, lines; a row with another number of fields costs itself only."""

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sep_trader.errors import InputError
from sep_trader.history.sheet import Float, Int, Refused

if TYPE_CHECKING:
    import polars

_SAMPLE = 100
DELIMITERS = ("\t", ";", "|", ",")
_NAMED = {"tab": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|"}


def polars_module() -> None:
    """Raise InputError where polars, which reads the files, is not installed."""
    try:
        import polars  # noqa: F401 - whether it can be
    except ImportError:
        raise InputError("reading candle files needs polars", "pip install 'sep-trader[data]'") from None


def delimiter_named(text: str | None) -> str | None:
    """The delimiter that a person gave: a character, or its name."""
    if text is None:
        return None
    found = _NAMED.get(text.lower(), text)
    if len(found) != 1:
        raise InputError(f"not a delimiter: '{text[:20]}'", f"one character, or {', '.join(_NAMED)}")
    return found


@dataclass(slots=True)
class Table:
    """Rows of a text file. names: the header's, as they stand ('' where there is none). columns: texts, stripped.

    lines: the line of each row in the file, from 1. refused: rows with another number of fields.
    """

    names: list[str]
    columns: "list[polars.Series]"
    lines: Int
    delimiter: str
    text: str
    problems: dict[int, str] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    _raw: list[str] | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def text_of(self, row: int) -> str:
        """The text of a row; of a file without lines, its values."""
        if not self.text:
            return ",".join(str(column[row]) for column in self.columns)
        if self._raw is None:
            self._raw = self.text.split("\n")
        return self._raw[int(self.lines[row]) - 1]

    @property
    def first_line(self) -> str:
        """The first line, for an error that says what the file looks like."""
        return self.text[:200].split("\n", 1)[0]

    def floats(self, column: int, name: str, decimal: str | None = None, *, may_be_empty: bool = False) -> Float:
        """A column as numbers. A value that is not a number becomes NaN, and a problem of its row that names `name`.

        may_be_empty: an empty field is NaN and no problem.
        """
        import polars as pl

        texts = self.columns[column]
        empty = (texts.cast(pl.String).str.strip_chars() == "").fill_null(True) if may_be_empty else None
        if decimal and decimal != ".":
            texts = texts.str.replace(decimal, ".", literal=True)
        numbers = texts.cast(pl.Float64, strict=False)
        if numbers.null_count() and texts.dtype == pl.String:  # a single field may have blanks around it
            numbers = texts.str.strip_chars().cast(pl.Float64, strict=False)
        bad = numbers.is_null() if empty is None else numbers.is_null() & ~empty
        self._note(bad, column, f"{name}: not a number")
        return numbers.fill_null(float("nan")).to_numpy()

    def whole_numbers(self, column: int, name: str) -> Int:
        """A column as whole numbers, also written 5.0. Another value becomes 0 and a problem of its row."""
        numbers = self.floats(column, name)
        with np.errstate(invalid="ignore"):
            bad = ~np.isfinite(numbers) | (numbers != np.rint(numbers)) | (np.abs(numbers) > 2.0**53)
        for index in np.flatnonzero(bad).tolist():
            self.problems.setdefault(index, f"{name}: not a whole number: '{self._text(column, index)}'")
        return np.where(bad, 0.0, numbers).astype(np.int64)

    def truths(self, column: int, name: str) -> "polars.Series":
        """A column of true and false; another value is true, and a problem of its row."""
        import polars as pl

        texts = self.columns[column].cast(pl.String).str.to_lowercase()
        yes, no = texts.is_in(["true", "1", "yes", "y", "t", "1.0"]), texts.is_in(["false", "0", "no", "n", "f", "0.0"])
        self._note((~(yes | no)).fill_null(True), column, f"{name}: neither true nor false")
        return (~no).fill_null(True)

    def _note(self, bad: "polars.Series", column: int, what: str) -> None:
        for index in bad.arg_true().to_list():
            self.problems.setdefault(index, f"{what}: '{self._text(column, index)}'")

    def _text(self, column: int, row: int) -> str:
        return str(self.columns[column][row] or "")[:40]


def read_table(text: str, delimiter: str | None, width: int | None = None, *, name: str = "the file") -> Table:
    """Cut a text into columns. delimiter: None finds it. width: of a file without a header, None for its first row's.
    name: what an error calls it.

    Raises InputError for a text without rows.
    """
    polars_module()
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    begin = next((at for at in range(len(text)) if not text[at].isspace()), len(text))
    first = text[text.rfind("\n", 0, begin) + 1 :].split("\n", 1)[0]
    if not first.strip():
        raise InputError(f"{name} is empty", "fetch it again")
    used = delimiter or _delimiter(first)
    found = _regular(text, first, used, width) if begin == 0 and '"' not in text else None
    return _irregular(text, first, used, width) if found is None else found


def _regular(text: str, first: str, delimiter: str, width: int | None) -> Table | None:
    """The table of a text whose every line has the same number of fields; None for any other text."""
    import polars as pl

    names = _names(first, delimiter)
    head, expected = (1, len(names)) if names else (0, width or first.count(delimiter) + 1)
    count = text.count("\n") + (not text.endswith("\n")) - head
    if count <= 0:
        return None
    try:
        frame = pl.read_csv(
            text.encode(), has_header=False, skip_lines=head, separator=delimiter, quote_char=None, infer_schema=False
        )
    except pl.exceptions.PolarsError:
        return None
    # A short row's last field is null, and so is an empty one and an empty line's: they are looked at row by row.
    if frame.shape != (count, expected) or frame.to_series(expected - 1).null_count():
        return None
    columns = [frame.to_series(at).fill_null("") for at in range(expected)]
    if any(cell != cell.strip() for column in columns for cell in column.head(_SAMPLE).to_list()):
        columns = [column.str.strip_chars() for column in columns]
    lines = np.arange(head + 1, head + 1 + count, dtype=np.int64)
    return Table(names, columns, lines, delimiter, text)


def _irregular(text: str, first: str, delimiter: str, width: int | None) -> Table:
    """The table of any text: empty lines are passed over, rows with another number of fields are refused."""
    raw = text.split("\n")
    filled = [index for index, line in enumerate(raw) if line and not line.isspace()]
    # MetaTrader's exports through spreadsheets come with every line quoted as a whole.
    whole_line_quoted = first.count('"') == 2 and first.startswith('"') and first.rstrip().endswith('"')
    kept = [raw[index] for index in filled]
    if whole_line_quoted and delimiter in first:
        kept = [line.strip().strip('"') for line in kept]
    names = _names(kept[0], delimiter)
    head = 1 if names else 0
    expected = len(names) if names else width or len(_cut(kept[0], delimiter))
    rows = kept[head:]
    lines = np.array(filled[head:], np.int64) + 1
    columns, counts = _columns(rows, delimiter, expected)
    good = counts == expected
    refused = [
        Refused(int(lines[at]), f"{counts[at]} fields where {expected} are needed", rows[at])
        for at in np.flatnonzero(~good).tolist()
    ]
    return Table(names, [column.str.strip_chars() for column in columns], lines[good], delimiter, text, refused=refused)


def _columns(rows: list[str], delimiter: str, width: int) -> "tuple[list[polars.Series], Int]":
    """The texts of each column, of the rows that have so many fields, and how many fields every row has."""
    import polars as pl

    cells = [_cut(row, delimiter) for row in rows]
    counts = np.array([len(cell) for cell in cells], np.int64)
    kept = [cell for cell in cells if len(cell) == width]
    return [pl.Series(str(at), [cell[at] for cell in kept], pl.String) for at in range(width)], counts


def _cut(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _delimiter(line: str) -> str:
    for candidate in DELIMITERS:
        if line.count(candidate) >= 4:
            return candidate
    return " " if line.count(" ") >= 4 else ","


def _names(line: str, delimiter: str) -> list[str]:
    """The header's names; none where the first line holds values."""
    cells = [cell.strip() for cell in _cut(line, delimiter)]
    if any(cell and (cell[0].isdigit() or cell[0] in "+-.") for cell in cells):
        return []
    return cells

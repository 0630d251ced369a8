"""Named queries: the statements of this folder's `.sql` files, each with a name and a declared kind.

A query is one line `-- name: NAME :KIND`, comment lines that describe it, the statement, and a semicolon. The kind says
what comes back: `:many` a list of rows, `:one` a row or None, `:value` the one value of one row or None, `:execute`
the number of rows changed, `:lock` nothing (the call returns once the lock is held). Every call reads its answer to the
end. A parameter is `:name`; a call passes it by keyword. A row becomes an instance of the class that the caller names:
a dataclass whose fields are the columns, with enums read from their values.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import psycopg
from psycopg import Cursor
from psycopg.rows import DictRow, RowMaker

from sep_trader.errors import StoreError

__all__ = ["KINDS", "NamedQueries", "Query", "Row", "queries"]

T = TypeVar("T")
Row = dict[str, Any]
"""A row that only passes through, to a screen or a JSON document."""
KINDS = ("many", "one", "value", "execute", "lock")
_HEAD = re.compile(r"^-- name: (\w+) :(\w+)\n", re.MULTILINE)
# A colon that follows a colon is a cast; quoted literals are passed over.
_PARAMETER = re.compile(r"('(?:[^']|'')*')|(?<!:):([a-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Query:
    """One named statement. `text` has the driver's placeholders, `parameters` are the names that a call must pass."""

    name: str
    kind: str
    text: str
    parameters: frozenset[str]


class NamedQueries:
    """The queries of a folder. Each method asks for a query of its own kind, and refuses one of another kind."""

    def __init__(self, folder: Path) -> None:
        """Read every `.sql` file. Raises StoreError for a query without a kind, or a name that stands twice."""
        self.all: dict[str, Query] = {}
        for file in sorted(folder.glob("*.sql")):
            for query in _read(file):
                if query.name in self.all or query.kind not in KINDS:
                    raise StoreError(f"{file.name}: query {query.name} stands twice, or :{query.kind} is no kind")
                self.all[query.name] = query

    def many(self, on: psycopg.Connection[DictRow], name: str, row: Callable[..., T], /, **values: object) -> list[T]:
        """All rows, each as `row(column=value, ...)`."""
        return self._run(on, name, "many", values, row).fetchall()

    def one(self, on: psycopg.Connection[DictRow], name: str, row: Callable[..., T], /, **values: object) -> T | None:
        """The first row as `row(column=value, ...)`; None without one."""
        return self._run(on, name, "one", values, row).fetchone()

    def only(self, on: psycopg.Connection[DictRow], name: str, row: Callable[..., T], /, **values: object) -> T:
        """The first row, as `one` gives it. Raises StoreError without one."""
        found = self.one(on, name, row, **values)
        if found is None:
            raise StoreError(f"query {name} gave no row")
        return found

    def value(self, on: psycopg.Connection[DictRow], name: str, of: type[T], /, **values: object) -> T:
        """The value of the one row. Raises StoreError when there is no row, or a value of another type."""
        found = self.optional(on, name, of, **values)
        if found is None:
            raise StoreError(f"query {name} gave no {of.__name__}")
        return found

    def optional(self, on: psycopg.Connection[DictRow], name: str, of: type[T], /, **values: object) -> T | None:
        """The value of the one row; None when there is no row, or the value is null. Raises StoreError as `value`."""
        row = self._run(on, name, "value", values, Row).fetchone()
        found = None if row is None else next(iter(row.values()))
        if found is not None and not isinstance(found, of):
            raise StoreError(f"query {name} gave a {type(found).__name__}, not a {of.__name__}")
        return found

    def execute(self, on: psycopg.Connection[DictRow], name: str, /, **values: object) -> int:
        """Run a statement; return how many rows it changed."""
        return self._run(on, name, "execute", values, Row).rowcount

    def lock(self, on: psycopg.Connection[DictRow], name: str, /, **values: object) -> None:
        """Take a lock; return when it is held."""
        self._run(on, name, "lock", values, Row).fetchall()

    def _run(
        self, on: psycopg.Connection[DictRow], name: str, kind: str, values: Mapping[str, object], row: Callable[..., T]
    ) -> Cursor[T]:
        query = self.all[name]
        if query.kind != kind:
            raise StoreError(f"query {name} is declared :{query.kind}, not :{kind}")
        if values.keys() != query.parameters:
            raise StoreError(f"query {name} takes {sorted(query.parameters)}, not {sorted(values)}")
        cursor = on.cursor(row_factory=_rows_as(row))
        return cursor.execute(query.text.encode(), values or None)


def _read(file: Path) -> list[Query]:
    head, *parts = _HEAD.split(file.read_text("utf-8"))
    if "-- name:" in head or any("-- name:" in text for text in parts[2::3]):
        raise StoreError(f"{file.name}: a query has no kind: -- name: NAME :{{{'|'.join(KINDS)}}}")
    return [_query(*part) for part in zip(parts[::3], parts[1::3], parts[2::3], strict=True)]


def _query(name: str, kind: str, body: str) -> Query:
    text = re.sub(r"^\s*--.*\n?", "", body, flags=re.MULTILINE).strip().removesuffix(";")
    parameters = frozenset(found[2] for found in _PARAMETER.finditer(text) if found[2])
    if parameters:  # the driver reads percent signs only where values are passed
        text = _PARAMETER.sub(lambda m: m[1] or f"%({m[2]})s", text.replace("%", "%%"))
    return Query(name, kind, text, parameters)


def _rows_as(row: Callable[..., T]) -> Callable[[Cursor[object]], RowMaker[T]]:
    def factory(cursor: Cursor[object]) -> RowMaker[T]:
        columns = [column.name for column in cursor.description or ()]
        enums = _enums(row)
        read = [(name, enums.get(name)) for name in columns]

        def make(values: Sequence[object]) -> T:
            pairs = zip(read, values, strict=True)
            return row(**{n: value if enum is None or value is None else enum(value) for (n, enum), value in pairs})

        return make

    return factory


@cache
def _enums(row: Callable[..., object]) -> dict[str, type[Enum]]:
    """The fields of a row class that hold an enum (or None)."""
    found: dict[str, type[Enum]] = {}
    if isinstance(row, type):
        for name, hint in get_type_hints(row).items():
            kind = next((k for k in (hint, *get_args(hint)) if isinstance(k, type) and issubclass(k, Enum)), None)
            found |= {} if kind is None else {name: kind}
    return found


queries = NamedQueries(Path(__file__).parent)
"""All named queries of the store that every server understands."""

"""Named queries: every `.sql` file of this folder, loaded once into `queries`.

A query is `-- name: NAME` + suffix, one comment line of description, the statement and a semicolon; its parameters are
`:name` and are passed by keyword: `queries.NAME(connection, name=value)`. Suffixes: none gives an iterator of rows
(dicts), `^` one row or None, `$` the one value of one row or None, `!` the number of rows changed, `<!` the row that
RETURNING gives (its value, where it is a single column), `#` runs a statement that takes and gives nothing. A quoted
literal may hold no colon that looks like a parameter, a percent sign is written twice, and comments inside a statement
hold no apostrophe.
"""

from pathlib import Path
from typing import Any

import aiosql
from aiosql.adapters.pyformat import PyFormatAdapter

__all__ = ["all_queries", "load_queries", "queries"]


class _DictRows(PyFormatAdapter):
    """The library's psycopg adapter for connections whose rows are dictionaries."""

    def insert_returning(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        row = self.select_one(conn, query_name, sql, parameters)  # type: ignore[no-untyped-call]
        return next(iter(row.values())) if row is not None and len(row) == 1 else row


def load_queries(folder: Path) -> Any:
    """The named queries of a folder's .sql files, as functions."""
    return aiosql.from_path(folder, _DictRows, mandatory_parameters=False)


queries: Any = load_queries(Path(__file__).parent)
"""All named queries as functions. Untyped: the .sql file says what a row holds."""


def all_queries() -> dict[str, str]:
    """The statement of every named query, with parameters as %(name)s: what the tests PREPARE."""
    names = [n for n in queries.available_queries if not n.endswith("_cursor")]
    return {name: getattr(queries, name).sql for name in names}

"""Named queries: each has a kind, and every call in the source asks for that kind with exactly its parameters."""

import ast
from pathlib import Path

import pytest

import sep_trader
from sep_trader.errors import StoreError
from sep_trader.simulation.audit import day_queries
from sep_trader.store.queries import KINDS, NamedQueries, queries
from sep_trader.store.timescaledb import statements

SOURCE = Path(sep_trader.__file__).parent
# The kind that a method asks for.
METHODS = {
    "many": "many", "one": "one", "only": "one", "value": "value", "optional": "value", "execute": "execute",
    "lock": "lock",
}  # fmt: skip


def folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "some.sql").write_text(text)
    return tmp_path


def test_a_query_has_a_name_a_kind_its_statement_and_its_parameters(tmp_path: Path) -> None:
    text = "-- name: rate :value\n-- Of :nobody.\nSELECT 100 % :a::int, ':b', '12:30', x::text FROM t\nWHERE y = :c;\n"
    query = NamedQueries(folder(tmp_path, text)).all["rate"]
    assert query.kind == "value"
    assert query.parameters == {"a", "c"}
    assert query.text == "SELECT 100 %% %(a)s::int, ':b', '12:30', x::text FROM t\nWHERE y = %(c)s"


@pytest.mark.parametrize(
    "text",
    [
        "-- name: no_kind\nSELECT 1;\n",
        "-- name: odd :perhaps\nSELECT 1;\n",
        "-- name: twice :one\nSELECT 1;\n-- name: twice :one\nSELECT 2;\n",
        "-- name: good :one\nSELECT 1;\n\n-- name: bad\nSELECT 2;\n",
    ],
)
def test_a_file_with_a_query_that_declares_no_kind_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(StoreError):
        NamedQueries(folder(tmp_path, text))


LIBRARIES = {"queries": queries, "statements": statements, "day_queries": day_queries}


def calls() -> list[tuple[str, NamedQueries, str, str, set[str] | None]]:
    """Each call of a named query in the source: where, of which folder, method, name, and the keywords it passes.

    The keywords are None where a call unpacks a mapping.
    """
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id="queries" | "statements" | "day_queries" as which), attr=method
                    ),
                    args=[_, ast.Constant(value=str(name)), *_],
                    keywords=keywords,
                ):
                    passed = {k.arg for k in keywords if k.arg}
                    unpacks = any(k.arg is None for k in keywords)
                    library = LIBRARIES[which]
                    where = f"{file.relative_to(SOURCE)}:{node.lineno}"
                    found.append((where, library, method, name, None if unpacks else passed))
    return found


def test_every_call_asks_for_a_query_of_its_kind_with_exactly_its_parameters() -> None:
    wrong = []
    for where, library, method, name, passed in calls():
        query = library.all.get(name)
        if query is None or METHODS.get(method) != query.kind or passed not in (None, query.parameters):
            wrong.append(f"{where}: {method} {name} {sorted(passed or ())}")
    assert len(calls()) > 80
    assert wrong == []


def test_every_query_is_called_by_something() -> None:
    source = "\n".join(file.read_text("utf-8") for file in SOURCE.rglob("*.py"))
    named = [*queries.all, *statements.all, *day_queries.all]
    assert [name for name in named if f'"{name}"' not in source] == ["candle_bytes"]  # benchmarks/store.py asks for it


def test_whatever_takes_a_lock_is_declared_a_lock() -> None:
    for query in (*queries.all.values(), *statements.all.values()):
        assert query.kind in KINDS
        locks = "pg_advisory" in query.text or "lock_candles" in query.text
        assert locks == (query.kind == "lock"), query.name

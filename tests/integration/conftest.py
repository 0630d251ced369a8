"""The suites of the store and of history run on both kinds of server."""

from pathlib import Path

import pytest

_BOTH = ("store", "history", "test_migrations.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that has a database on the embedded server and on TimescaleDB."""
    place = metafunc.definition.path.relative_to(Path(__file__).parent).parts[0]
    if place in _BOTH and "server_kind" in metafunc.fixturenames:
        kinds = ["embedded", pytest.param("timescaledb", marks=pytest.mark.timescaledb)]
        metafunc.parametrize("server_kind", kinds, scope="session")

"""The suite that says it ran on TimescaleDB did."""

from sep_trader.store.database import Database


def test_the_database_is_on_the_kind_of_server_that_the_test_is_named_after(
    database: Database, server_kind: str
) -> None:
    with database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS n FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    assert row == {"n": 1 if server_kind == "timescaledb" else 0}

"""PostgreSQL: connection pool, migrations, named queries, one small module a table family."""

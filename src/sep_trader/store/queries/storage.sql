-- name: timescaledb_state^
-- Whether the extension can be had (available), is loaded by the server (preloaded), is in this database (version), and
-- under which license it runs: timescale (Community) or apache.
SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb') AS available,
    current_setting('timescaledb.max_background_workers', true) IS NOT NULL AS preloaded,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS version,
    current_setting('timescaledb.license', true) AS license;

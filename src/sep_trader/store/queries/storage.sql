-- name: timescaledb_state^
-- Whether the extension can be had (available), is loaded by the server (preloaded), is in this database (version), and
-- under which license it runs: timescale (Community) or apache.
SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb') AS available,
    current_setting('timescaledb.max_background_workers', true) IS NOT NULL AS preloaded,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS version,
    current_setting('timescaledb.license', true) AS license;

-- name: candle_bytes$
-- Bytes of the candle table, heap and index, chunks included.
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
WHERE c.oid = 'market_candles'::regclass
    OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'market_candles'::regclass);

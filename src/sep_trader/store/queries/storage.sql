-- name: timescaledb_state :one
-- Whether the extension can be had (available), is loaded by the server (preloaded), is in this database (version), and
-- under which license it runs: timescale (Community) or apache.
SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb') AS available,
    current_setting('timescaledb.max_background_workers', true) IS NOT NULL AS preloaded,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS version,
    current_setting('timescaledb.license', true) AS license;

-- name: table_exists :value
-- Whether there is a table of that name.
SELECT to_regclass(:name) IS NOT NULL;

-- name: lock_transaction :lock
-- Keep others that ask for the same lock away until the transaction ends.
SELECT pg_advisory_xact_lock(:key::bigint);

-- name: lock_session :lock
-- Keep others that ask for the same lock away until the session ends.
SELECT pg_advisory_lock(:key::bigint);

-- name: candle_bytes :value
-- Bytes of the candle table, heap and index, chunks included.
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
WHERE c.oid = 'market_candles'::regclass
    OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'market_candles'::regclass);

-- name: table_bytes :many
-- Bytes of each table with its indexes; chunks count as their hypertable, compressed ones as market_candles, and those
-- of continuous aggregates as candle_rollups.
SELECT CASE WHEN n.nspname = '_timescaledb_internal' AND coalesce(p.relname, c.relname) LIKE '%compress%'
        THEN 'market_candles'
        WHEN n.nspname = '_timescaledb_internal' AND coalesce(p.relname, c.relname) LIKE '%materialized_hypertable%'
        THEN 'candle_rollups' ELSE coalesce(p.relname, c.relname) END AS name,
    sum(pg_total_relation_size(c.oid))::bigint AS bytes, sum(greatest(c.reltuples, 0))::bigint AS rows
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE c.relkind = 'r' AND n.nspname IN ('public', '_timescaledb_internal')
GROUP BY 1 ORDER BY 1;

-- name: candle_count :value
-- How many candles there are.
SELECT count(*) FROM market_candles;

-- name: candles_a_day :value
-- Candles a day in the week before the newest.
SELECT count(*) / 7.0 FROM market_candles
WHERE time > (SELECT max(time) FROM market_candles) - interval '7 days';

-- name: storage_growth :many
-- Growth of each area in bytes a day, over the samples of the last 30 days.
SELECT area, (last_bytes - first_bytes)::float8 / (last_day - first_day) AS bytes_a_day
FROM (SELECT DISTINCT ON (area) area, day AS first_day, bytes AS first_bytes FROM storage_samples
      WHERE day >= :today::date - 30 ORDER BY area, day) f
JOIN (SELECT DISTINCT ON (area) area, day AS last_day, bytes AS last_bytes FROM storage_samples
      WHERE day >= :today::date - 30 ORDER BY area, day DESC) l USING (area)
WHERE last_day > first_day ORDER BY area;

-- name: record_storage :execute
-- Keep today's size of an area.
INSERT INTO storage_samples (day, area, bytes) VALUES (:today, :area, :bytes)
ON CONFLICT (day, area) DO UPDATE SET bytes = excluded.bytes;

-- name: candles_before :value
-- How many candles began before a time.
SELECT count(*) FROM market_candles WHERE time < :before;

-- name: logs_before :value
-- How many log lines are older than a time.
SELECT count(*) FROM system_logs WHERE time < :before;

-- name: delete_candles :execute
-- Delete the candles of one granularity that began before a time, found by the key pair by pair.
DELETE FROM market_candles c USING instruments i
WHERE c.instrument_id = i.id AND c.granularity = :granularity AND c.time < :before;

-- name: stored_granularities :many
-- Granularities of which any candle began before a time, finest first.
SELECT g.code, g.name FROM granularities g
WHERE EXISTS (SELECT 1 FROM instruments i CROSS JOIN LATERAL (SELECT 1 FROM market_candles c
    WHERE c.instrument_id = i.id AND c.granularity = g.code AND c.time < :before LIMIT 1) AS old)
ORDER BY g.seconds;

-- name: delete_logs :execute
-- Delete log lines older than a time.
DELETE FROM system_logs WHERE time < :before;

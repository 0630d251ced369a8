-- What only TimescaleDB's Community build has: run where timescaledb.license is timescale, elsewhere the maintenance does
-- the same with plain SQL (queries/rollups.sql, drop_chunks).

-- name: candles_m5 :execute
-- The continuous aggregate of M5 candles.
CREATE MATERIALIZED VIEW IF NOT EXISTS candles_m5 WITH (timescaledb.continuous) AS
SELECT instrument_id, time_bucket(interval '5 minutes', time) AS time,
    first(open, time) AS open, max(high) AS high, min(low) AS low, last(close, time) AS close,
    last(spread, time) AS spread, sum(volume) AS volume
FROM market_candles WHERE granularity = 5 GROUP BY 1, 2 WITH NO DATA;

-- name: candles_m15 :execute
-- The continuous aggregate of M15 candles.
CREATE MATERIALIZED VIEW IF NOT EXISTS candles_m15 WITH (timescaledb.continuous) AS
SELECT instrument_id, time_bucket(interval '15 minutes', time) AS time,
    first(open, time) AS open, max(high) AS high, min(low) AS low, last(close, time) AS close,
    last(spread, time) AS spread, sum(volume) AS volume
FROM market_candles WHERE granularity = 5 GROUP BY 1, 2 WITH NO DATA;

-- name: candles_m30 :execute
-- The continuous aggregate of M30 candles.
CREATE MATERIALIZED VIEW IF NOT EXISTS candles_m30 WITH (timescaledb.continuous) AS
SELECT instrument_id, time_bucket(interval '30 minutes', time) AS time,
    first(open, time) AS open, max(high) AS high, min(low) AS low, last(close, time) AS close,
    last(spread, time) AS spread, sum(volume) AS volume
FROM market_candles WHERE granularity = 5 GROUP BY 1, 2 WITH NO DATA;

-- name: candles_h1 :execute
-- The continuous aggregate of H1 candles.
CREATE MATERIALIZED VIEW IF NOT EXISTS candles_h1 WITH (timescaledb.continuous) AS
SELECT instrument_id, time_bucket(interval '1 hour', time) AS time,
    first(open, time) AS open, max(high) AS high, min(low) AS low, last(close, time) AS close,
    last(spread, time) AS spread, sum(volume) AS volume
FROM market_candles WHERE granularity = 5 GROUP BY 1, 2 WITH NO DATA;

-- name: candles_h4 :execute
-- The continuous aggregate of H4 candles, which count from 17.00 New York.
CREATE MATERIALIZED VIEW IF NOT EXISTS candles_h4 WITH (timescaledb.continuous) AS
SELECT instrument_id, time_bucket(interval '4 hours', time, 'America/New_York',
        timestamptz '20000101T170000 America/New_York') AS time,
    first(open, time) AS open, max(high) AS high, min(low) AS low, last(close, time) AS close,
    last(spread, time) AS spread, sum(volume) AS volume
FROM market_candles WHERE granularity = 5 GROUP BY 1, 2 WITH NO DATA;

-- name: candles_d :execute
-- The continuous aggregate of D candles, which begin at 17.00 New York.
CREATE MATERIALIZED VIEW IF NOT EXISTS candles_d WITH (timescaledb.continuous) AS
SELECT instrument_id, time_bucket(interval '1 day', time, 'America/New_York',
        timestamptz '20000101T170000 America/New_York') AS time,
    first(open, time) AS open, max(high) AS high, min(low) AS low, last(close, time) AS close,
    last(spread, time) AS spread, sum(volume) AS volume
FROM market_candles WHERE granularity = 5 GROUP BY 1, 2 WITH NO DATA;

-- name: clear_rollups :execute
-- Remove the rows that the continuous aggregates take the place of.
TRUNCATE candle_rollups;

-- name: v_candle_rollups :execute
-- The view of rollups for people, out of the continuous aggregates.
CREATE OR REPLACE VIEW v_candle_rollups AS
SELECT i.name AS instrument, r.granularity, r.time, r.open, r.high, r.low, r.close, r.spread, r.volume
FROM (SELECT 'M5'::text AS granularity, * FROM candles_m5
    UNION ALL SELECT 'M15', * FROM candles_m15
    UNION ALL SELECT 'M30', * FROM candles_m30
    UNION ALL SELECT 'H1', * FROM candles_h1
    UNION ALL SELECT 'H4', * FROM candles_h4
    UNION ALL SELECT 'D', * FROM candles_d) AS r
JOIN instruments i ON i.id = r.instrument_id;

-- name: refresh_policy :execute
-- Bring an aggregate up to date every hour, wherever candles changed.
SELECT add_continuous_aggregate_policy(:name::regclass, start_offset => NULL, end_offset => interval '1 minute',
    schedule_interval => interval '1 hour', if_not_exists => true);

-- name: refresh :execute
-- Bring an aggregate up to date now.
CALL refresh_continuous_aggregate(:name::regclass, NULL, NULL);

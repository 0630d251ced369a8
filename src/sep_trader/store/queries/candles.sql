-- name: instrument_id :value
-- The id of an instrument, None when this database never saw it.
SELECT id FROM instruments WHERE name = :name;

-- name: add_instrument :execute
-- Make an instrument known; one that is known already is left as it is.
INSERT INTO instruments (name, pip_location, display_precision) VALUES (:name, :pip_location, :display_precision)
ON CONFLICT (name) DO NOTHING;

-- name: set_financing_rates :execute
-- Keep the broker's annual financing rates of an instrument.
UPDATE instruments SET financing_long = :long, financing_short = :short, updated_at = now() WHERE name = :name;

-- name: lock_series :lock
-- Keep every other loader away from one instrument and granularity until the transaction ends.
SELECT pg_advisory_xact_lock(:lock_class::integer, :series::integer);

-- name: candles_exist :value
-- Whether any candle lies in a range, both ends included.
SELECT EXISTS (SELECT 1 FROM market_candles WHERE instrument_id = :instrument_id AND granularity = :granularity
    AND time BETWEEN :first AND :last);

-- name: candles_between :many
-- Candles with start <= time < end, oldest first.
SELECT time, open, high, low, close, spread, volume FROM market_candles
WHERE instrument_id = (SELECT id FROM instruments WHERE name = :instrument) AND granularity = :granularity
    AND time >= :start AND time < :end
ORDER BY time;

-- name: candles_latest :many
-- The newest candles, newest first.
SELECT time, open, high, low, close, spread, volume FROM market_candles
WHERE instrument_id = (SELECT id FROM instruments WHERE name = :instrument) AND granularity = :granularity
ORDER BY time DESC LIMIT :count;

-- name: candles_latest_since :many
-- The same, none older than a time: the planner then passes over all older chunks.
SELECT time, open, high, low, close, spread, volume FROM market_candles
WHERE instrument_id = (SELECT id FROM instruments WHERE name = :instrument) AND granularity = :granularity
    AND time >= :start
ORDER BY time DESC LIMIT :count;

-- name: create_candle_staging :execute
-- The table new candles go through where the range is not empty; it ends with the transaction.
CREATE TEMPORARY TABLE IF NOT EXISTS candle_staging (LIKE market_candles) ON COMMIT DROP;

-- name: insert_staged_candles :value
-- Move the staged candles in; one that exists already is left as it is. Gives how many were new.
WITH added AS (
    INSERT INTO market_candles SELECT * FROM candle_staging ON CONFLICT DO NOTHING
    RETURNING instrument_id, granularity, time
)
SELECT note_candles(array_agg(instrument_id), array_agg(granularity), array_agg(time)) FROM added;

-- name: correct_candles :execute
-- Replace the values of stored candles by those of the arrays, where they differ.
UPDATE market_candles c SET open = n.open, high = n.high, low = n.low, close = n.close, spread = n.spread,
    volume = n.volume
FROM unnest(:times::timestamptz[], :opens::float8[], :highs::float8[], :lows::float8[], :closes::float8[],
    :spreads::float8[], :volumes::integer[]) AS n (time, open, high, low, close, spread, volume)
WHERE c.instrument_id = :instrument_id AND c.granularity = :granularity AND c.time = n.time
    AND c.time BETWEEN :first AND :last
    AND (c.open, c.high, c.low, c.close, c.spread, c.volume)
        IS DISTINCT FROM (n.open, n.high, n.low, n.close, n.spread, n.volume);

-- name: log_corrections :execute
-- Log that stored candles came again with other values: how many, between which times, and the first of them.
INSERT INTO system_logs (level, component, event, message, context)
VALUES ('warning', 'history', 'candle_correction', :message, :context);

-- name: upsert_live :many
-- Insert a batch of complete candles in one statement. Gives one row with how many were new and, for each candle that
-- is stored with other values, one row with both. A refresh of the rollups looks at the last day by itself; that M1
-- candles changed before it is noted.
WITH batch AS (
    SELECT * FROM unnest(:times::timestamptz[], :opens::float8[], :highs::float8[], :lows::float8[], :closes::float8[],
        :spreads::float8[], :volumes::integer[], :instrument_ids::smallint[], :granularities::smallint[])
        AS b (time, open, high, low, close, spread, volume, instrument_id, granularity)
), added AS (
    INSERT INTO market_candles SELECT * FROM batch ON CONFLICT DO NOTHING RETURNING instrument_id, granularity, time
), noted AS (
    INSERT INTO candle_rollup_due (instrument_id, first, last)
    SELECT instrument_id, min(time), max(time) FROM batch
    WHERE granularity = :minute AND time < now() - interval '1 day' GROUP BY instrument_id
)
SELECT (SELECT note_candles(array_agg(instrument_id), array_agg(granularity), array_agg(time)) FROM added) AS inserted, NULL::smallint AS instrument_id, NULL::smallint AS granularity,
    NULL::timestamptz AS time, NULL::float8[] AS old, NULL::float8[] AS new
UNION ALL
SELECT NULL, b.instrument_id, b.granularity, b.time, ARRAY[c.open, c.high, c.low, c.close, c.spread, c.volume],
    ARRAY[b.open, b.high, b.low, b.close, b.spread, b.volume]
FROM batch b JOIN market_candles c USING (instrument_id, granularity, time)
WHERE c.time BETWEEN :first AND :last AND (c.open, c.high, c.low, c.close, c.spread, c.volume)
    IS DISTINCT FROM (b.open, b.high, b.low, b.close, b.spread, b.volume);

-- name: candles_noted :value
-- Tell the database that this transaction notes in candle_days what it does to the candles.
SELECT set_config('sep.candles_noted', 'on', true);

-- name: note_days :execute
-- Note candles as stored: a day each with the bits of its candles.
INSERT INTO candle_days AS d (instrument_id, granularity, day, present)
SELECT :instrument_id, :granularity, day, present
FROM unnest(:days::date[], :present::text[]) AS n (day, present)
ON CONFLICT (instrument_id, granularity, day) DO UPDATE
SET present = (d.present::varbit | excluded.present::varbit)::text;

-- name: forget_days :execute
-- Candles before a time were dropped, of one granularity or of all: note what is left of the day of that time.
WITH gone AS (
    DELETE FROM candle_days WHERE day <= (:before::timestamptz AT TIME ZONE 'UTC')::date
        AND (:granularity::smallint IS NULL OR granularity = :granularity) RETURNING 1
), left_over AS (
    SELECT array_agg(instrument_id) AS i, array_agg(granularity) AS g, array_agg(time) AS t FROM market_candles
    WHERE time >= :before AND time < (date_trunc('day', :before::timestamptz AT TIME ZONE 'UTC') + interval '1 day')
            AT TIME ZONE 'UTC'
        AND (:granularity::smallint IS NULL OR granularity = :granularity)
)
SELECT note_candles(i, g, t) FROM left_over WHERE t IS NOT NULL AND (SELECT count(*) FROM gone) >= 0;

-- name: days_complete :value
-- Whether candle_days can be believed.
SELECT complete FROM candle_days_state;

-- name: lock_candles :lock
-- Keep every writer of candles away while candle_days is made again.
SELECT lock_candles();

-- name: clear_days :execute
-- Remove all of candle_days.
DELETE FROM candle_days;

-- name: days_are_complete :execute
-- candle_days was made again of the candles.
UPDATE candle_days_state SET complete = true;

-- name: noted_series :many
-- The series of which candle_days notes candles.
SELECT d.instrument_id AS id, i.name AS instrument, g.code, g.name AS granularity
FROM (SELECT DISTINCT instrument_id, granularity FROM candle_days) AS d
JOIN instruments i ON i.id = d.instrument_id JOIN granularities g ON g.code = d.granularity
ORDER BY i.name, g.seconds;

-- name: stored_series :many
-- The series that are stored; reads every candle.
SELECT d.instrument_id AS id, i.name AS instrument, g.code, g.name AS granularity
FROM (SELECT DISTINCT instrument_id, granularity FROM market_candles) AS d
JOIN instruments i ON i.id = d.instrument_id JOIN granularities g ON g.code = d.granularity
ORDER BY i.name, g.seconds;

-- name: candle_is_there :value
-- Whether a candle is stored.
SELECT EXISTS (SELECT 1 FROM market_candles
    WHERE instrument_id = :instrument_id AND granularity = :granularity AND time = :time);

-- name: days_of_series :many
-- The noted days of a series in order, with a text of 0 and 1 each.
SELECT day, present FROM candle_days
WHERE instrument_id = :instrument_id AND granularity = :granularity ORDER BY day;

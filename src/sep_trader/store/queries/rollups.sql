-- name: note_rollups :execute
-- Note that M1 candles of a pair changed between two times, both included.
INSERT INTO candle_rollup_due (instrument_id, first, last) VALUES (:instrument_id, :first, :last);

-- name: note_dropped_candles :execute
-- Note that the candles before a time were dropped.
INSERT INTO candle_rollup_due (instrument_id, first, last)
SELECT instrument_id, min(time), :before FROM candle_rollups WHERE time < :before GROUP BY instrument_id;

-- name: note_all_rollups :execute
-- Note everything that there are M1 candles or rollups of.
INSERT INTO candle_rollup_due (instrument_id, first, last)
SELECT instrument_id, min(time), max(time) FROM (
    SELECT instrument_id, time FROM market_candles WHERE granularity = :minute
    UNION ALL SELECT instrument_id, time FROM candle_rollups) AS c
GROUP BY instrument_id;

-- name: due_rollups :many
-- Spans that were noted, with the ids of the notes.
SELECT id, instrument_id, extract(epoch FROM first)::bigint AS first, extract(epoch FROM last)::bigint AS last
FROM candle_rollup_due;

-- name: rollup_edges :many
-- Per pair with M1 candles: their first and last, and the start of the newest day that was made of them.
SELECT id AS instrument_id, extract(epoch FROM first)::bigint AS first, extract(epoch FROM last)::bigint AS last,
    extract(epoch FROM made)::bigint AS made
FROM (SELECT i.id,
    (SELECT min(time) FROM market_candles c WHERE c.instrument_id = i.id AND c.granularity = :minute) AS first,
    (SELECT max(time) FROM market_candles c WHERE c.instrument_id = i.id AND c.granularity = :minute) AS last,
    (SELECT max(time) FROM candle_rollups r WHERE r.instrument_id = i.id AND r.granularity = :day) AS made
    FROM instruments i) AS edges
WHERE first IS NOT NULL;

-- name: delete_rollups :execute
-- Remove the rollups of a pair with start <= time < end.
DELETE FROM candle_rollups WHERE instrument_id = :instrument_id AND time >= :start AND time < :end;

-- name: roll_up :execute
-- Make the candles of one granularity of a pair, start <= time < end, out of shorter ones: out of the stored M1 candles,
-- or out of rollups. Up to an hour the grid is that of UTC; longer ones count from 17:00 New York.
WITH source AS (
    SELECT time, open, high, low, close, spread, volume FROM market_candles
    WHERE :source::smallint = :minute AND instrument_id = :instrument_id AND granularity = :minute
        AND time >= :start AND time < :end
    UNION ALL
    SELECT time, open, high, low, close, spread, volume FROM candle_rollups
    WHERE :source::smallint <> :minute AND instrument_id = :instrument_id AND granularity = :source
        AND time >= :start AND time < :end
), period AS (
    SELECT start, min(time) AS first, max(time) AS last, max(high) AS high, min(low) AS low, sum(volume) AS volume
    FROM (SELECT *, CASE WHEN :seconds::integer <= 3600
            THEN date_bin(make_interval(secs => :seconds::integer), time, timestamptz '2000-01-01 UTC')
            ELSE time - make_interval(secs => extract(epoch FROM time AT TIME ZONE 'America/New_York'
                + interval '7 hours')::bigint % 86400 % :seconds::integer) END AS start FROM source) AS s
    GROUP BY start
)
INSERT INTO candle_rollups (time, open, high, low, close, spread, volume, instrument_id, granularity)
SELECT p.start, f.open, p.high, p.low, l.close, l.spread, p.volume, :instrument_id, :granularity
FROM period p JOIN source f ON f.time = p.first JOIN source l ON l.time = p.last;

-- name: clear_due_rollups :execute
-- Forget notes that were worked off.
DELETE FROM candle_rollup_due WHERE id = ANY (:ids::bigint[]);

-- name: candles_rolled_up :many
-- Rollups with start <= time < end, oldest first.
SELECT time, open, high, low, close, coalesce(spread, 'NaN') AS spread, volume::integer FROM v_candle_rollups
WHERE instrument = :instrument AND granularity = :length AND time >= :start AND time < :end
ORDER BY time;

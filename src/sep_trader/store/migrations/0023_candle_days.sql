-- Which candles of a day are there, kept beside the candles, so that nobody reads ten million rows to count them; and
-- spreads that nobody recorded are unknown, not zero.

CREATE TABLE candle_days (
    instrument_id smallint NOT NULL,
    granularity smallint NOT NULL,
    day date NOT NULL,
    present text NOT NULL,
    PRIMARY KEY (instrument_id, granularity, day)
);
COMMENT ON TABLE candle_days IS 'Which candles of market_candles are there, a row for each day that has any.';
COMMENT ON COLUMN candle_days.instrument_id IS 'instruments.id';
COMMENT ON COLUMN candle_days.granularity IS 'granularities.code';
COMMENT ON COLUMN candle_days.day IS 'Day in UTC.';
COMMENT ON COLUMN candle_days.present IS 'A 0 or 1 for each candle that can begin in the day, of candles longer than an hour one for each hour; 1 where it is stored. Text, because a backup hashes every row.';

CREATE TABLE candle_days_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    complete boolean NOT NULL
);
COMMENT ON TABLE candle_days_state IS 'Whether candle_days can be believed: somebody else''s change of the candles turns it off.';
COMMENT ON COLUMN candle_days_state.singleton IS 'There is one row.';
COMMENT ON COLUMN candle_days_state.complete IS 'False until candle_days is made again from the candles.';
INSERT INTO candle_days_state (complete) SELECT NOT EXISTS (SELECT 1 FROM market_candles);

-- Whoever changes candles without noting it here (psql, another program) makes candle_days a thing to be made again.
CREATE FUNCTION doubt_candle_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('sep.candles_noted', true) IS DISTINCT FROM 'on' THEN
        UPDATE candle_days_state SET complete = false WHERE complete;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER doubt_candle_days AFTER INSERT OR DELETE OR UPDATE OF instrument_id, granularity, time OR TRUNCATE
    ON market_candles FOR EACH STATEMENT EXECUTE FUNCTION doubt_candle_days();

CREATE FUNCTION note_candles(instrument_ids smallint[], granularities smallint[], times timestamptz[]) RETURNS bigint
LANGUAGE sql AS $$
    SELECT set_config('sep.candles_noted', 'on', true);
    INSERT INTO candle_days AS d (instrument_id, granularity, day, present)
    SELECT instrument_id, granularity, day, bit_or(set_bit(repeat('0', 86400 / width)::varbit, slot, 1))::text
    FROM (SELECT n.instrument_id, n.granularity, least(g.seconds, 3600) AS width, (n.time AT TIME ZONE 'UTC')::date AS day,
            (extract(epoch FROM n.time)::bigint % 86400 / least(g.seconds, 3600))::integer AS slot
          FROM unnest(instrument_ids, granularities, times) AS n (instrument_id, granularity, time)
          JOIN granularities g ON g.code = n.granularity) AS c
    GROUP BY instrument_id, granularity, day, width
    ON CONFLICT (instrument_id, granularity, day) DO UPDATE
        SET present = (d.present::varbit | excluded.present::varbit)::text;
    SELECT coalesce(array_length(times, 1), 0)::bigint;
$$;
COMMENT ON FUNCTION note_candles IS 'Note that these candles are stored now; gives how many they are.';

CREATE FUNCTION lock_candles() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE market_candles IN SHARE MODE;
END $$;
COMMENT ON FUNCTION lock_candles IS 'Keep every writer of candles away until the transaction ends.';

-- 0 is a spread that was seen; until now it also stood for one that was not recorded. A series of nothing but zeros is that.
UPDATE market_candles c SET spread = 'NaN' FROM (
    SELECT instrument_id, granularity FROM market_candles GROUP BY 1, 2 HAVING max(spread) = 0) AS unrecorded
WHERE (c.instrument_id, c.granularity) = (unrecorded.instrument_id, unrecorded.granularity);
COMMENT ON COLUMN market_candles.spread IS 'Ask close minus bid close, in price units; NaN where it was not recorded.';
CREATE OR REPLACE VIEW v_candles AS
SELECT i.name AS instrument, g.name AS granularity, c.time, c.open, c.high, c.low, c.close,
    nullif(c.spread, 'NaN') AS spread, c.volume
FROM market_candles c
JOIN instruments i ON i.id = c.instrument_id
JOIN granularities g ON g.code = c.granularity;
COMMENT ON VIEW v_candles IS 'market_candles with names, for people; the spread is null where it was not recorded.';

UPDATE candle_rollups r SET spread = 'NaN' FROM (
    SELECT instrument_id FROM candle_rollups GROUP BY 1 HAVING max(spread) = 0) AS unrecorded
WHERE r.instrument_id = unrecorded.instrument_id;
CREATE OR REPLACE VIEW v_candle_rollups AS
SELECT i.name AS instrument, g.name AS granularity, r.time, r.open, r.high, r.low, r.close,
    nullif(r.spread, 'NaN') AS spread, r.volume
FROM candle_rollups r
JOIN instruments i ON i.id = r.instrument_id
JOIN granularities g ON g.code = r.granularity;

ALTER TABLE trading_pairs ADD COLUMN reasons jsonb;
COMMENT ON COLUMN trading_pairs.reasons IS 'Codes of what keeps the pair from being READY, such as NO_SPREAD.';

ALTER TABLE instruments ADD COLUMN financing_long numeric, ADD COLUMN financing_short numeric;
COMMENT ON COLUMN instruments.financing_long IS 'The broker''s annual rate for a long position, a charge where negative; null until downloaded.';
COMMENT ON COLUMN instruments.financing_short IS 'The same for a short position.';

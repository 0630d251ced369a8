-- Longer candles made of the stored M1 ones, kept apart from those that the broker or a file gave.
CREATE TABLE candle_rollups (
    time timestamptz NOT NULL,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    spread float8 NOT NULL,
    volume bigint NOT NULL,
    instrument_id smallint NOT NULL,
    granularity smallint NOT NULL,
    PRIMARY KEY (instrument_id, granularity, time)
);
COMMENT ON TABLE candle_rollups IS 'M5 to D made of the M1 candles in market_candles; goes and comes with them. Names: see v_candle_rollups.';
COMMENT ON COLUMN candle_rollups.time IS 'Start of the candle, UTC; H4 and D count from 17:00 New York.';
COMMENT ON COLUMN candle_rollups.open IS 'Mid open of the first minute.';
COMMENT ON COLUMN candle_rollups.high IS 'Highest mid high.';
COMMENT ON COLUMN candle_rollups.low IS 'Lowest mid low.';
COMMENT ON COLUMN candle_rollups.close IS 'Mid close of the last minute.';
COMMENT ON COLUMN candle_rollups.spread IS 'Spread at the last minute''s close, in price units.';
COMMENT ON COLUMN candle_rollups.volume IS 'Number of prices in all minutes.';
COMMENT ON COLUMN candle_rollups.instrument_id IS 'instruments.id';
COMMENT ON COLUMN candle_rollups.granularity IS 'granularities.code';

CREATE TABLE candle_rollup_due (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instrument_id smallint NOT NULL,
    first timestamptz NOT NULL,
    last timestamptz NOT NULL
);
COMMENT ON TABLE candle_rollup_due IS 'Spans whose M1 candles changed since their rollups were made. Who writes candles notes it in the same transaction.';
COMMENT ON COLUMN candle_rollup_due.id IS 'Order of noting.';
COMMENT ON COLUMN candle_rollup_due.instrument_id IS 'instruments.id';
COMMENT ON COLUMN candle_rollup_due.first IS 'Start of the first M1 candle that changed.';
COMMENT ON COLUMN candle_rollup_due.last IS 'Start of the last.';

INSERT INTO candle_rollup_due (instrument_id, first, last)
SELECT c.instrument_id, min(c.time), max(c.time)
FROM market_candles c JOIN granularities g ON g.code = c.granularity AND g.name = 'M1' GROUP BY c.instrument_id;

CREATE VIEW v_candle_rollups AS
SELECT i.name AS instrument, g.name AS granularity, r.time, r.open, r.high, r.low, r.close, r.spread, r.volume
FROM candle_rollups r
JOIN instruments i ON i.id = r.instrument_id
JOIN granularities g ON g.code = r.granularity;
COMMENT ON VIEW v_candle_rollups IS 'M5, M15, M30, H1, H4 and D made of the stored M1 candles, as of the last refresh (sep data rollup); the newest may still grow.';

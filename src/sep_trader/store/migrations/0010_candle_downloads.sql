-- What the broker was asked for: where a download goes on, and which missing candles never were.
CREATE TABLE candle_downloads (
    instrument_id smallint NOT NULL REFERENCES instruments,
    granularity smallint NOT NULL REFERENCES granularities,
    start timestamptz NOT NULL,
    through timestamptz NOT NULL CHECK (through > start),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instrument_id, granularity, start)
);
COMMENT ON TABLE candle_downloads IS 'Spans that were fetched from the broker. A candle missing inside one does not exist at the broker.';
COMMENT ON COLUMN candle_downloads.instrument_id IS 'instruments.id';
COMMENT ON COLUMN candle_downloads.granularity IS 'granularities.code';
COMMENT ON COLUMN candle_downloads.start IS 'Beginning of the span.';
COMMENT ON COLUMN candle_downloads.through IS 'End of the span, not included; it grows with every page.';
COMMENT ON COLUMN candle_downloads.updated_at IS 'When the last page was stored.';

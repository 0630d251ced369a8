-- Daily sizes of the areas of the volume: what growth and days-to-full are computed from.
CREATE TABLE storage_samples (
    day date NOT NULL,
    area text NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (day, area)
);
COMMENT ON TABLE storage_samples IS 'Bytes used by each area of the volume, written once a day by the maintenance.';
COMMENT ON COLUMN storage_samples.day IS 'UTC day of the measurement.';
COMMENT ON COLUMN storage_samples.area IS 'candles, signals, executions, configuration, backups, raw_cache.';
COMMENT ON COLUMN storage_samples.bytes IS 'Bytes used then.';

-- name: columnstore :execute
-- Allow chunks of candles to be compressed. One segment a pair keeps batches full, whatever the granularity.
ALTER TABLE market_candles SET (timescaledb.compress, timescaledb.compress_segmentby = 'instrument_id',
    timescaledb.compress_orderby = 'granularity, time DESC');

-- name: compression_policy :execute
-- Compress chunks of candles that are older than an interval.
SELECT add_compression_policy('market_candles', compress_after => :after::interval, if_not_exists => true);

-- name: remove_retention_policy :execute
-- Keep the chunks of a table.
SELECT remove_retention_policy(:name::regclass, if_exists => true);

-- name: retention_policy :execute
-- Drop chunks of a table that are older than an interval.
SELECT add_retention_policy(:name::regclass, drop_after => :after::interval);

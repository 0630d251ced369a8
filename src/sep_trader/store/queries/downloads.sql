-- name: downloaded_spans :many
-- Spans of one series that the broker was asked for, oldest first.
SELECT extract(epoch FROM start)::bigint AS start, extract(epoch FROM through)::bigint AS through
FROM candle_downloads d JOIN instruments i ON i.id = d.instrument_id
WHERE i.name = :instrument AND d.granularity = :granularity ORDER BY start;

-- name: record_download :execute
-- Note that a span was fetched; a span that begins at the same time grows.
INSERT INTO candle_downloads (instrument_id, granularity, start, through)
VALUES (:instrument_id, :granularity, :start, :through)
ON CONFLICT (instrument_id, granularity, start) DO UPDATE
SET through = greatest(candle_downloads.through, excluded.through), updated_at = now();

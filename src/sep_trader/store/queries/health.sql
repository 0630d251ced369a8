-- name: archive_state :one
-- The write-ahead log archive: whether it is on and whether its newest attempt failed.
SELECT current_setting('archive_mode') AS mode, failed_count, last_archived_time AS last_archived,
    last_failed_time IS NOT NULL AND last_failed_time > coalesce(last_archived_time, '-infinity') AS failing
FROM pg_stat_archiver;

-- name: trader_sign_of_life :one
-- When the trader was last heard.
SELECT updated_at, state FROM component_status WHERE component = 'trader';

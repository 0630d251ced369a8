-- name: archive_state :one
-- The write-ahead log archive: whether it is on and whether its newest attempt failed.
SELECT current_setting('archive_mode') AS mode, failed_count, last_archived_time AS last_archived,
    last_failed_time IS NOT NULL AND last_failed_time > coalesce(last_archived_time, '-infinity') AS failing
FROM pg_stat_archiver;

-- name: trader_sign_of_life :one
-- When the trader was last heard, and what it said.
SELECT updated_at, state, details FROM component_status WHERE component = 'trader';

-- name: trader_starts :value
-- How often a trader began since a time.
SELECT count(*) FROM system_logs WHERE time > :since AND component = 'trader' AND event = 'trader_started';

-- name: signals_arriving :one
-- How many pairs may trade and since when, and when the newest signal arrived, by this server's clock.
SELECT (SELECT count(*) FROM v_active_pairs) AS pairs,
    (SELECT max(created_at) FROM trading_signals) AS signal,
    (SELECT min(enabled_at) FROM trading_pairs WHERE enabled) AS enabled_at;

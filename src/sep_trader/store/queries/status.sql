-- name: insert_log :execute
-- Write one step to the log.
INSERT INTO system_logs (level, component, event, message, context, broker_time)
VALUES (:level, :component, :event, :message, :context, :broker_time);

-- name: database_info :one
-- Server, extension, schema version, size.
SELECT * FROM v_database_info;

-- name: notice :value
-- What every screen must say of this database, such as that its prices are simulated.
SELECT value #>> '{}' FROM system_config WHERE key = 'notice';

-- name: set_notice :execute
-- Put up such a notice.
INSERT INTO system_config (key, value) VALUES ('notice', to_jsonb(:notice::text))
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_by = current_user, updated_at = now();

-- name: component_status :many
-- The last sign of life of each component.
SELECT component, updated_at, broker_time, state, details,
    extract(epoch FROM now() - updated_at)::float8 AS age_s
FROM component_status ORDER BY component;

-- name: set_component_status :execute
-- Leave a sign of life.
INSERT INTO component_status (component, broker_time, state, details) VALUES (:component, :broker_time, :state, :details)
ON CONFLICT (component) DO UPDATE SET updated_at = now(), broker_time = excluded.broker_time, state = excluded.state,
    details = excluded.details;

-- name: newest :one
-- When the newest candle began, the newest signal's candle began, and the newest trade was opened.
SELECT (SELECT max(t) FROM (SELECT i.id, (SELECT c.time FROM market_candles c WHERE c.instrument_id = i.id
            AND c.granularity = g.code ORDER BY c.time DESC LIMIT 1) AS t
        FROM instruments i CROSS JOIN granularities g) AS newest) AS candle,
    (SELECT max(candle_time) FROM trading_signals) AS signal,
    (SELECT max(entry_time) FROM trade_executions) AS trade;

-- name: active_pairs :many
-- Pairs that may trade, and by which right.
SELECT * FROM v_active_pairs ORDER BY pair;

-- name: daily_performance :many
-- Per broker day and pair: signals, trades, win rate, P&L, drawdown; the newest days that have any, newest first.
SELECT * FROM v_daily_performance
WHERE day > (SELECT max(day) FROM v_daily_performance) - :days::integer
ORDER BY day DESC, pair;

-- name: log_lines :many
-- Lines of the log, newest first: of a component, of some levels, with a text, between two times, before or after an id.
SELECT id, time, level, component, event, message, context, broker_time FROM system_logs
WHERE (:component::text IS NULL OR component = :component) AND level = ANY(:levels::text[])
    AND (:text::text IS NULL OR strpos(lower(event || ' ' || coalesce(message, '')), lower(:text)) > 0)
    AND (:since::timestamptz IS NULL OR time >= :since) AND (:until::timestamptz IS NULL OR time < :until)
    AND (:before::bigint IS NULL OR id < :before) AND (:after::bigint IS NULL OR id > :after)
ORDER BY time DESC, id DESC LIMIT :limit;

-- name: known_pairs :many
-- Pairs that this database has ever seen.
SELECT name FROM instruments ORDER BY name;

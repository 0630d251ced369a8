-- What the API and the dashboard read, in pages.

-- name: signals_page :many
-- Signals, newest first, with what became of them: of a pair, a status, a span of candles, before a signal.
SELECT s.candle_time, s.pair, CASE WHEN s.side > 0 THEN 'BUY' ELSE 'SELL' END AS side, s.confidence, s.status, s.reason_code,
    s.reason, s.stop_distance, s.target_distance, s.expires_at, s.granularity, s.model_id, s.id, s.kind, s.metrics, s.created_at
FROM trading_signals s
WHERE (:pair::text IS NULL OR s.pair = :pair) AND (:status::text IS NULL OR s.status = :status)
    AND (:since::timestamptz IS NULL OR s.candle_time >= :since) AND (:until::timestamptz IS NULL OR s.candle_time < :until)
    AND (:before::uuid IS NULL OR (s.candle_time, s.id) < (SELECT b.candle_time, b.id FROM trading_signals b WHERE b.id = :before))
ORDER BY s.candle_time DESC, s.id DESC LIMIT :limit;

-- name: trades_page :many
-- Closed trades, newest first: of a pair, closed within a span, before an id.
SELECT e.id, e.pair, CASE WHEN e.units > 0 THEN 'BUY' ELSE 'SELL' END AS side, e.units, e.entry_time, e.entry_price,
    e.exit_time, e.exit_price, e.exit_reason, e.gross_pl, e.financing, e.commission, e.net_pl, e.half_spread_cost,
    e.expected_price, e.trade_id, e.stop_price, e.target_price, e.stop_distance, s.model_id,
    round((e.exit_price - e.entry_price) * sign(e.units) / 10::numeric ^ coalesce(i.pip_location, CASE WHEN right(e.pair, 3) = 'JPY' THEN -2 ELSE -4 END), 1) AS pips,
    round((e.exit_price - e.entry_price) * sign(e.units) / nullif(coalesce(e.stop_distance, s.stop_distance), 0), 2) AS r
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id LEFT JOIN instruments i ON i.name = e.pair
WHERE e.status = 'CLOSED' AND (:pair::text IS NULL OR e.pair = :pair)
    AND (:since::timestamptz IS NULL OR e.exit_time >= :since) AND (:until::timestamptz IS NULL OR e.exit_time < :until)
    AND (:before::bigint IS NULL OR (e.exit_time, e.id) < (SELECT b.exit_time, b.id FROM trade_executions b WHERE b.id = :before))
ORDER BY e.exit_time DESC, e.id DESC LIMIT :limit;

-- name: executions_page :many
-- Every order with how far it came, newest first: of a pair, a status, before an id.
SELECT id, signal_id, account_id, pair, client_id, status, CASE WHEN units > 0 THEN 'BUY' ELSE 'SELL' END AS side, units,
    intent_time, order_id, trade_id, expected_price, entry_time, entry_price, stop_price, target_price, horizon_at, exit_time,
    exit_price, exit_reason, net_pl, reason
FROM trade_executions
WHERE (:pair::text IS NULL OR pair = :pair) AND (:status::text IS NULL OR status = :status)
    AND (:before::bigint IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit;

-- name: models_listed :many
-- Models, newest first, with the pair that trades by each.
SELECT m.id, m.pair, m.granularity, m.run_id, m.created_at, m.artifact->>'kind' AS kind, p.pair IS NOT NULL AS current,
    coalesce(p.enabled, false) AS enabled
FROM models m LEFT JOIN trading_pairs p ON p.model_id = m.id
ORDER BY m.created_at DESC LIMIT :limit;

-- name: performance_by_pair :many
-- Closed trades of a span by pair: how many, how many won, what they brought, account currency.
SELECT pair, count(*) AS trades, count(*) FILTER (WHERE net_pl > 0) AS wins, sum(gross_pl) AS gross_pl, sum(net_pl) AS net_pl,
    round(avg(net_pl), 4) AS expectancy
FROM trade_executions WHERE status = 'CLOSED' AND exit_time >= :since AND exit_time < :until
GROUP BY pair ORDER BY pair;

-- name: performance_by_hour :many
-- The same by the UTC hour of the entry.
SELECT extract(hour FROM entry_time AT TIME ZONE 'UTC')::integer AS hour, count(*) AS trades,
    count(*) FILTER (WHERE net_pl > 0) AS wins, sum(gross_pl) AS gross_pl, sum(net_pl) AS net_pl,
    round(avg(net_pl), 4) AS expectancy
FROM trade_executions WHERE status = 'CLOSED' AND exit_time >= :since AND exit_time < :until
GROUP BY 1 ORDER BY 1;

-- name: requests_page :many
-- What people asked of the trader, newest first.
SELECT id, requested_at, kind, pair, trade_id, everything, requested_by, reason, status, answered_at, answer
FROM trading_requests ORDER BY id DESC LIMIT :limit;

-- name: api_tokens :many
-- Who may use the API: tokens that hold, and those that are void.
SELECT name, role, hash, created_at, created_by, revoked_at FROM api_tokens ORDER BY name;

-- name: create_token :execute
-- Let somebody in. A name that was revoked may be given again.
INSERT INTO api_tokens (name, role, hash, created_by) VALUES (:name, :role, :hash, :created_by)
ON CONFLICT (name) DO UPDATE SET role = excluded.role, hash = excluded.hash, created_at = now(),
    created_by = excluded.created_by, revoked_at = NULL WHERE api_tokens.revoked_at IS NOT NULL;

-- name: revoke_token :execute
-- Shut somebody out.
UPDATE api_tokens SET revoked_at = now() WHERE name = :name AND revoked_at IS NULL;

-- name: order_outcomes :many
-- Orders by how far they came.
SELECT status, count(*) AS orders FROM trade_executions GROUP BY status;

-- name: signal_outcomes :many
-- Signals by status and reason, ever.
SELECT status, coalesce(reason_code, '') AS code, count(*) AS signals FROM trading_signals GROUP BY 1, 2;

-- name: signal_to_wire :many
-- Seconds from a signal's arrival here to its order's intent, of the newest thousand orders, by this server's clock.
SELECT extract(epoch FROM e.created_at - s.created_at)::float8 AS seconds
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id WHERE e.created_at IS NOT NULL ORDER BY e.id DESC LIMIT 1000;

-- name: waiting :one
-- What waits for the trader.
SELECT (SELECT count(*) FROM trading_signals WHERE status = 'NEW') AS signals,
    (SELECT count(*) FROM trading_requests WHERE status = 'NEW') AS requests,
    (SELECT count(*) FROM trade_executions WHERE status IN ('INTENT', 'UNKNOWN')) AS orders;

-- name: differences_found :many
-- How often the books and the broker were found to differ, by the event in the log.
SELECT event, count(*) AS lines FROM system_logs
WHERE event IN ('reconcile_mismatch', 'balance_difference', 'record_incomplete', 'two_databases') GROUP BY event;

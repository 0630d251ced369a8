-- name: alert_states :many
-- Alarms that are on, as somebody was last told.
SELECT alarm, severity, detail, since, told_at, times FROM alert_states ORDER BY alarm;

-- name: keep_alert :execute
-- Keep an alarm that is on.
INSERT INTO alert_states (alarm, severity, detail, since, told_at, times)
VALUES (:alarm, :severity, :detail, :now::timestamptz, CASE WHEN :told::boolean THEN :now::timestamptz END,
    CASE WHEN :told::boolean THEN 1 ELSE 0 END)
ON CONFLICT (alarm) DO UPDATE SET severity = excluded.severity, detail = excluded.detail,
    told_at = coalesce(excluded.told_at, alert_states.told_at), times = alert_states.times + excluded.times;

-- name: end_alert :execute
-- Forget an alarm that is over.
DELETE FROM alert_states WHERE alarm = :alarm;

-- name: note_message :execute
-- Note a message that was sent or tried.
INSERT INTO alert_messages (severity, title, reached) VALUES (:severity, :title, :reached);

-- name: messages_lately :value
-- Messages within the last hour.
SELECT count(*) FROM alert_messages WHERE sent_at > now() - interval '1 hour';

-- name: grave_logs :many
-- Critical lines of the log since a time.
SELECT id, time, component, event, message FROM system_logs WHERE level = 'critical' AND time > :since ORDER BY id;

-- name: day_summary :one
-- The broker's day so far, in figures.
SELECT (SELECT count(*) FROM trade_executions WHERE status = 'CLOSED' AND broker_day(exit_time) = broker_day(:now::timestamptz)) AS trades,
    (SELECT coalesce(sum(net_pl), 0) FROM trade_executions
        WHERE status = 'CLOSED' AND broker_day(exit_time) = broker_day(:now::timestamptz)) AS net_pl,
    (SELECT count(*) FROM trade_executions WHERE status = 'OPEN') AS open_trades,
    (SELECT count(*) FROM trading_signals WHERE created_at > :now::timestamptz - interval '1 day') AS signals;

-- name: alerts_until :value
-- Up to which time the log's critical lines were told.
SELECT until FROM alert_mark;

-- name: mark_alerts :execute
-- Note up to which time they were.
INSERT INTO alert_mark (until) VALUES (:until) ON CONFLICT (one_row) DO UPDATE SET until = excluded.until;

-- name: end_forgotten_readers :value
-- End the sessions of the reading role whose statement or transaction is older than two minutes; gives how many.
SELECT end_forgotten_readers();

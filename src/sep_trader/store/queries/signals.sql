-- name: insert_signal :execute
-- Store a signal; a signal that exists already (same model, pair and candle) is left as it is.
INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance,
    target_distance, horizon, expires_at, kind)
VALUES (:id, :pair, :model_id, :granularity, :candle_time, :side, :confidence, :metrics, :stop_distance,
    :target_distance, :horizon, :expires_at, :kind)
ON CONFLICT DO NOTHING;

-- name: decide_signal :execute
-- End a signal. Only NEW signals can be ended, except that an order found late turns a refusal into an execution.
UPDATE trading_signals SET status = :status, reason_code = :reason_code, reason = :reason, decided_at = :decided_at
WHERE id = :id AND (status = 'NEW' OR (status = 'REFUSED' AND :status = 'EXECUTED'));

-- name: signal_counts :many
-- Number of signals by status and reason since a time.
SELECT status, reason_code, count(*) AS signals FROM trading_signals
WHERE candle_time >= :since GROUP BY status, reason_code ORDER BY status, signals DESC;

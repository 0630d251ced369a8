-- name: audit :one
-- Everything that the invariants of a simulated day are judged by, in one statement. Numbers are texts.
SELECT t.state, t.changed_by,
    (SELECT l.last_transaction_id FROM ledger_accounts l) AS booked,
    (SELECT l.balance FROM ledger_accounts l) AS balance,
    (SELECT b.nav_high FROM broker_accounts b) AS nav_high,
    (SELECT json_build_array(count(*), min(id), max(id))::text FROM broker_transactions) AS record,
    (SELECT coalesce(sum(amount), 0) FROM ledger_entries) AS entries,
    (SELECT coalesce(sum(amount) FILTER (WHERE entry = 'cash'), 0) FROM ledger_entries) AS cash,
    (SELECT coalesce(sum(amount) FILTER (WHERE entry = 'unexplained'), 0) FROM ledger_entries) AS unexplained,
    (SELECT coalesce(json_agg(json_build_object('id', e.id, 'signal', e.signal_id, 'client', e.client_id, 'pair', e.pair,
        'status', e.status, 'units', e.units::text, 'open_units', e.open_units::text, 'trade', e.trade_id, 'late', e.late,
        'deadline', extract(epoch FROM e.deadline), 'quoted', extract(epoch FROM e.quote_time), 'stop', e.stop_distance::text,
        'expected', e.expected_price::text, 'net', e.net_pl::text, 'gross', e.gross_pl::text) ORDER BY e.id), '[]')::text
        FROM trade_executions e) AS executions,
    (SELECT coalesce(json_agg(json_build_array(s.id, s.status, s.reason_code, s.pair)), '[]')::text
        FROM trading_signals s) AS signals,
    (SELECT count(*) FROM trading_requests WHERE status = 'NEW') AS requests
FROM trading_state t;

-- name: forget :execute
-- Empty the tables that a day writes. Their triggers are off in the session that does so.
WITH a AS (DELETE FROM ledger_entries), b AS (DELETE FROM broker_transactions), c AS (DELETE FROM trade_executions),
    d AS (DELETE FROM trading_signals), e AS (DELETE FROM broker_accounts), f AS (DELETE FROM ledger_accounts),
    g AS (DELETE FROM trading_requests), h AS (DELETE FROM performance_metrics), i AS (DELETE FROM control_changes),
    j AS (DELETE FROM component_status)
DELETE FROM system_logs;

-- name: begin_day :execute
-- The switch and the pairs as every day begins.
WITH p AS (UPDATE trading_pairs SET enabled = true, disabled_reason = NULL)
UPDATE trading_state SET state = 'ACTIVE', reason = 'the day begins', changed_by = 'simulation', changed_at = now();

-- name: restart_numbers :execute
-- Number rows from 1 again, so that a day is the same wherever it is simulated.
SELECT setval(pg_get_serial_sequence('trade_executions', 'id'), 1, false),
    setval(pg_get_serial_sequence('trading_requests', 'id'), 1, false);

-- name: name_database :execute
-- Give the database a name that does not depend on where it was made.
UPDATE system_config SET value = to_jsonb('simulation'::text) WHERE key = 'database_id';

-- name: insert_run :execute
-- A training that the models of the simulation come from.
INSERT INTO research_runs (id, pair, granularity, first_candle, last_candle, candles, data_hash, code_version, settings, seed,
    trials, verdict, reason, evidence)
VALUES (:id, 'EUR_USD', 'M1', now(), now(), 1, '', '', '{}', 1, 1, 'NOT_READY', 'simulation', '{}');

-- name: insert_model :execute
-- A model of a pair.
INSERT INTO models (id, pair, granularity, run_id, artifact) VALUES (:id, :pair, 'M1', :run_id, :artifact);

-- name: let_trade :execute
-- Let a pair trade with its model.
INSERT INTO trading_pairs (pair, enabled, model_id, verdict, override_by, override_reason)
VALUES (:pair, true, :model_id, 'NOT_READY', 'simulation', 'simulation');

-- name: spoil_signal :execute
-- Store a signal whose end cannot be read.
INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance, horizon,
    expires_at)
VALUES (:id, :pair, :model_id, 'M1', :candle_time, 1, 0.5, '{}', 0.003, interval '1 hour', '-infinity');

-- name: rename_pair_right :execute
-- Take a pair's right to trade, or give it back, as a person does.
UPDATE trading_pairs SET enabled = :enabled, disabled_reason = CASE WHEN :enabled THEN NULL ELSE 'a person' END,
    changed_by = 'a person' WHERE pair = :pair;

-- name: signal_status :one
-- How far a signal has come.
SELECT s.status, (SELECT e.status FROM trade_executions e WHERE e.signal_id = s.id) AS execution
FROM trading_signals s WHERE s.id = :id;

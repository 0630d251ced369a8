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

-- name: truncate :execute
-- As `forget`, and what deleted rows have left behind goes, too.
TRUNCATE ledger_entries, broker_transactions, trade_executions, trading_signals, broker_accounts, ledger_accounts,
    trading_requests, performance_metrics, control_changes, component_status, system_logs;

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

-- name: dump_day :value
-- Every row that a day has written, as one document.
SELECT jsonb_build_object(
    'signals', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM trading_signals t),
    'executions', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'net_pl'), '[]') FROM trade_executions t),
    'transactions', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM broker_transactions t),
    'entries', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM ledger_entries t),
    'ledger', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM ledger_accounts t),
    'accounts', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM broker_accounts t),
    'requests', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM trading_requests t),
    'state', (SELECT to_jsonb(t) FROM trading_state t))::text;

-- name: restore_day :execute
-- Write the rows of such a document into empty tables. The triggers are off in the session that does so.
WITH given AS (SELECT :tables::text::jsonb AS d),
    a AS (INSERT INTO trading_signals SELECT r.* FROM given, jsonb_populate_recordset(NULL::trading_signals, d->'signals') r),
    b AS (INSERT INTO trade_executions (id, signal_id, account_id, pair, client_id, status, units, open_units, order_id,
            trade_id, intent_time, intent_transaction_id, expected_price, stop_price, target_price, entry_time, entry_price,
            horizon_at, exit_time, exit_price, exit_reason, gross_pl, financing, commission, half_spread_cost, reason,
            stop_distance, target_distance, price_bound, deadline, quote_bid, quote_ask, quote_time, fill_bid, fill_ask,
            late, closing_order_id, closing_cause, conversion, exit_bid, exit_ask)
        OVERRIDING SYSTEM VALUE
        SELECT id, signal_id, account_id, pair, client_id, status, units, open_units, order_id,
            trade_id, intent_time, intent_transaction_id, expected_price, stop_price, target_price, entry_time, entry_price,
            horizon_at, exit_time, exit_price, exit_reason, gross_pl, financing, commission, half_spread_cost, reason,
            stop_distance, target_distance, price_bound, deadline, quote_bid, quote_ask, quote_time, fill_bid, fill_ask,
            late, closing_order_id, closing_cause, conversion, exit_bid, exit_ask
        FROM given, jsonb_populate_recordset(NULL::trade_executions, d->'executions')),
    c AS (INSERT INTO broker_transactions SELECT r.* FROM given,
        jsonb_populate_recordset(NULL::broker_transactions, d->'transactions') r),
    e AS (INSERT INTO ledger_entries SELECT r.* FROM given, jsonb_populate_recordset(NULL::ledger_entries, d->'entries') r),
    f AS (INSERT INTO ledger_accounts SELECT r.* FROM given, jsonb_populate_recordset(NULL::ledger_accounts, d->'ledger') r),
    g AS (INSERT INTO broker_accounts SELECT r.* FROM given, jsonb_populate_recordset(NULL::broker_accounts, d->'accounts') r),
    h AS (INSERT INTO trading_requests OVERRIDING SYSTEM VALUE
        SELECT r.* FROM given, jsonb_populate_recordset(NULL::trading_requests, d->'requests') r)
UPDATE trading_state t SET state = r.state, reason = r.reason, changed_by = r.changed_by, changed_at = r.changed_at
FROM given, jsonb_populate_record(NULL::trading_state, d->'state') r;

-- name: replayed :many
-- Every signal, and what became of it.
SELECT s.candle_time, s.side, s.stop_distance, s.target_distance, s.horizon, s.reason_code, e.units, e.entry_price, e.entry_time,
    e.exit_price, e.exit_time, e.exit_reason, e.stop_distance AS order_stop, e.target_distance AS order_target, e.gross_pl,
    e.financing, e.net_pl
FROM trading_signals s LEFT JOIN trade_executions e ON e.signal_id = s.id ORDER BY s.candle_time;

-- name: trades_made :value
-- How many orders opened a trade.
SELECT count(*) FROM trade_executions WHERE trade_id IS NOT NULL;

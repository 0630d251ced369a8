-- name: results_receipt :one
-- Up to where the results of a trading machine are here.
SELECT until, accounts FROM results_receipts WHERE source = :source;

-- name: keep_results_receipt :execute
-- Remember up to where they are here now.
INSERT INTO results_receipts (source, until, accounts) VALUES (:source, :until, :accounts)
ON CONFLICT (source) DO UPDATE SET until = excluded.until, accounts = excluded.accounts, received_at = now();

-- name: results_accounts :many
-- The accounts of which there are broker transactions.
SELECT DISTINCT account_id FROM broker_transactions ORDER BY account_id;

-- name: transaction_hash :one
-- How many transactions of an account there are up to one, and a hash of that one as the broker told it.
SELECT (SELECT count(*) FROM broker_transactions WHERE account_id = :account_id AND id <= :id) AS count,
    encode(sha256(convert_to(raw::text, 'UTF8')), 'hex') AS hash
FROM broker_transactions WHERE account_id = :account_id AND id = :id;

-- name: results_transactions :value
-- The broker transactions of an account after one, oldest first, as one JSON array.
SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.id), '[]')::text FROM (
    SELECT * FROM broker_transactions WHERE account_id = :account_id AND id > :id ORDER BY id LIMIT :limit) AS t;

-- name: results_equity :value
-- What an account was worth after a time, oldest first, as one JSON array.
SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.time), '[]')::text FROM (
    SELECT * FROM account_equity WHERE account_id = :account_id AND time > :since ORDER BY time LIMIT :limit) AS e;

-- name: results_executions :value
-- Orders and trades that changed since a time, the longest ago first, as one JSON array.
SELECT coalesce(jsonb_agg(to_jsonb(e) - 'id' - 'net_pl' ORDER BY e.updated_at, e.id), '[]')::text FROM (
    SELECT * FROM trade_executions WHERE updated_at >= :since ORDER BY updated_at, id LIMIT :limit) AS e;

-- name: results_signals :value
-- Signals that were decided since a time, or that a changed order belongs to, as one JSON array.
SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.decided_at, s.id), '[]')::text FROM trading_signals s
WHERE s.id IN (SELECT id FROM trading_signals WHERE decided_at >= :since ORDER BY decided_at, id LIMIT :limit)
    OR s.id IN (SELECT signal_id FROM trade_executions WHERE updated_at >= :since ORDER BY updated_at, id LIMIT :limit);

-- name: results_pairs :value
-- Who may trade on this machine, and what this machine itself has found or taken away, as one JSON array.
SELECT coalesce(jsonb_agg(jsonb_build_object('pair', pair, 'enabled', enabled, 'latched_at', latched_at,
    'decayed_at', decayed_at, 'disabled_reason', disabled_reason, 'changed_by', changed_by) ORDER BY pair), '[]')::text
FROM trading_pairs;

-- name: take_transactions :execute
-- Transactions that are not here yet.
INSERT INTO broker_transactions (account_id, id, time, type, amount, is_profit, balance, raw, client_id, booked_at)
SELECT account_id, id, time, type, amount, is_profit, balance, raw, client_id, booked_at
FROM jsonb_populate_recordset(NULL::broker_transactions, :rows::jsonb) ON CONFLICT DO NOTHING;

-- name: transactions_differ :value
-- The number of a transaction that is here with other words of the broker; null where there is none.
SELECT min(n.id) FROM jsonb_populate_recordset(NULL::broker_transactions, :rows::jsonb) n
JOIN broker_transactions t ON (t.account_id, t.id) = (n.account_id, n.id) WHERE t.raw <> n.raw;

-- name: take_equity :execute
-- What an account was worth, where it is not here yet.
INSERT INTO account_equity SELECT * FROM jsonb_populate_recordset(NULL::account_equity, :rows::jsonb)
ON CONFLICT DO NOTHING;

-- name: take_signals :execute
-- Signals that were born there, such as a person's probe; one of a model that is not here is left out. None that waits:
-- a machine that trades proposes nothing.
INSERT INTO trading_signals
SELECT n.* FROM jsonb_populate_recordset(NULL::trading_signals, :rows::jsonb) n
WHERE n.status <> 'NEW' AND (n.model_id IS NULL OR EXISTS (SELECT FROM models m WHERE m.id = n.model_id))
ON CONFLICT DO NOTHING;

-- name: take_decisions :execute
-- What became of signals that wait here, or that an order was found for later.
UPDATE trading_signals s SET status = n.status, reason_code = n.reason_code, reason = n.reason, decided_at = n.decided_at
FROM jsonb_populate_recordset(NULL::trading_signals, :rows::jsonb) n
WHERE s.id = n.id AND n.status <> s.status AND (s.status = 'NEW' OR (s.status = 'REFUSED' AND n.status = 'EXECUTED'));

-- name: take_new_executions :execute
-- Orders that are not here yet; a closed one is closed in the next step, which counts it.
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, open_units, intent_time,
    intent_transaction_id, expected_price, trade_id, entry_price, updated_at, late, created_at)
SELECT n.signal_id, n.account_id, n.pair, n.client_id, CASE WHEN n.status = 'CLOSED' THEN 'OPEN' ELSE n.status END, n.units,
    n.open_units, n.intent_time, n.intent_transaction_id, n.expected_price, n.trade_id, n.entry_price, '-infinity', n.late,
    n.created_at
FROM jsonb_populate_recordset(NULL::trade_executions, :rows::jsonb) n
WHERE EXISTS (SELECT FROM trading_signals s WHERE s.id = n.signal_id)
ON CONFLICT DO NOTHING;

-- name: take_steps :execute
-- Orders that went more than one step since: each goes forward step by step, as it did there.
UPDATE trade_executions e SET late = n.late OR e.status IN ('GIVEN_UP', 'REJECTED'), trade_id = n.trade_id, entry_price = n.entry_price,
    status = CASE WHEN n.status IN ('OPEN', 'CLOSED') THEN 'OPEN' ELSE 'UNKNOWN' END
FROM jsonb_populate_recordset(NULL::trade_executions, :rows::jsonb) n
WHERE e.client_id = n.client_id AND n.updated_at > e.updated_at AND (
    (n.status = 'CLOSED' AND e.status IN ('INTENT', 'UNKNOWN', 'GIVEN_UP', 'REJECTED'))
    OR (n.status = 'GIVEN_UP' AND e.status = 'INTENT'));

-- name: take_executions :execute
-- Orders and trades as they are there, where that is newer than what is here.
UPDATE trade_executions e SET status = n.status, units = n.units, open_units = n.open_units, stop_price = n.stop_price,
    target_price = n.target_price, order_id = n.order_id, trade_id = n.trade_id, entry_time = n.entry_time,
    entry_price = n.entry_price, horizon_at = n.horizon_at, exit_time = n.exit_time, exit_price = n.exit_price,
    exit_reason = n.exit_reason, gross_pl = n.gross_pl, financing = n.financing, commission = n.commission,
    half_spread_cost = n.half_spread_cost, reason = n.reason, updated_at = n.updated_at, stop_distance = n.stop_distance,
    target_distance = n.target_distance, price_bound = n.price_bound, deadline = n.deadline, quote_bid = n.quote_bid,
    quote_ask = n.quote_ask, quote_time = n.quote_time, fill_bid = n.fill_bid, fill_ask = n.fill_ask, late = n.late,
    closing_order_id = n.closing_order_id, closing_cause = n.closing_cause, conversion = n.conversion, exit_bid = n.exit_bid,
    exit_ask = n.exit_ask
FROM jsonb_populate_recordset(NULL::trade_executions, :rows::jsonb) n
WHERE e.client_id = n.client_id AND e.account_id = n.account_id AND n.updated_at > e.updated_at
    -- A machine that was restored to an earlier moment may tell of an earlier step: home stays ahead of it.
    AND (n.status = e.status OR (e.status, n.status) IN (('INTENT', 'UNKNOWN'), ('INTENT', 'OPEN'), ('INTENT', 'REJECTED'),
        ('UNKNOWN', 'GIVEN_UP'), ('UNKNOWN', 'OPEN'), ('UNKNOWN', 'REJECTED'), ('GIVEN_UP', 'REJECTED'), ('OPEN', 'CLOSED'))
        OR (e.status IN ('GIVEN_UP', 'REJECTED') AND n.status = 'OPEN' AND n.late));

-- name: executions_left_out :value
-- How many of these orders are not here: their signal's model is unknown.
SELECT count(*) FROM jsonb_populate_recordset(NULL::trade_executions, :rows::jsonb) n
WHERE NOT EXISTS (SELECT FROM trade_executions e WHERE e.client_id = n.client_id);

-- name: take_decay :many
-- What was found decayed there is decayed here; gives the pairs for which that is news.
UPDATE trading_pairs p SET decayed_at = n.decayed_at, changed_by = 'results', updated_at = now(),
    change_reason = 'found decayed on the trading machine'
FROM jsonb_to_recordset(:rows::jsonb) AS n (pair text, decayed_at timestamptz)
WHERE p.pair = n.pair AND n.decayed_at > coalesce(p.decayed_at, '-infinity') AND n.decayed_at <= :until RETURNING p.pair;

-- name: latched_there :many
-- Pairs that are enabled here and that the trading machine itself has disabled.
SELECT n.pair, n.latched_at, n.changed_by, n.disabled_reason
FROM jsonb_to_recordset(:rows::jsonb) AS n (pair text, latched_at timestamptz, changed_by text, disabled_reason text)
JOIN trading_pairs p ON p.pair = n.pair AND p.enabled WHERE n.latched_at IS NOT NULL ORDER BY n.pair;

-- name: insert_intent :value
-- Write an order's intent, before it is sent.
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, intent_transaction_id,
    expected_price, stop_price, target_price)
VALUES (:signal_id, :account_id, :pair, :client_id, 'INTENT', :units, :intent_time, :intent_transaction_id,
    :expected_price, :stop_price, :target_price)
RETURNING id;

-- name: live_executions :many
-- Executions that have, or may have, something at the broker; oldest first.
SELECT e.id, e.signal_id, e.account_id, e.pair, e.client_id, e.status, e.units, e.open_units, e.intent_time,
    e.expected_price, e.trade_id, e.horizon_at, least(s.horizon, interval '100 years') AS horizon,
    s.candle_time, s.granularity
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.account_id = :account_id AND e.status IN ('INTENT', 'OPEN', 'UNKNOWN') ORDER BY e.id;

-- name: execution_by_client_id :one
-- The execution an order's client id belongs to.
SELECT e.id, e.signal_id, e.account_id, e.pair, e.client_id, e.status, e.units, e.open_units, e.intent_time,
    e.expected_price, e.trade_id, e.horizon_at, least(s.horizon, interval '100 years') AS horizon,
    s.candle_time, s.granularity
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.account_id = :account_id AND e.client_id = :client_id;

-- name: ordered_before :value
-- Whether the broker's record, as far as it was copied, holds an order of this name since a time.
SELECT EXISTS (SELECT FROM broker_transactions
    WHERE account_id = :account_id AND client_id = :client_id AND time >= :since);

-- name: execution_by_trade_id :one
-- The execution a broker's trade belongs to.
SELECT e.id, e.signal_id, e.account_id, e.pair, e.client_id, e.status, e.units, e.open_units, e.intent_time,
    e.expected_price, e.trade_id, e.horizon_at, least(s.horizon, interval '100 years') AS horizon,
    s.candle_time, s.granularity
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.account_id = :account_id AND e.trade_id = :trade_id;

-- name: set_execution_open :execute
-- The order was filled and opened a trade.
UPDATE trade_executions SET status = 'OPEN', order_id = :order_id, trade_id = :trade_id, units = :units, open_units = :units,
    entry_time = :entry_time, entry_price = :entry_price, horizon_at = :horizon_at,
    gross_pl = gross_pl + :gross_pl, financing = financing + :financing, commission = commission + :commission,
    half_spread_cost = half_spread_cost + :half_spread_cost, reason = NULL, updated_at = now()
WHERE id = :id AND status IN ('INTENT', 'UNKNOWN', 'REJECTED');

-- name: add_execution_result :execute
-- Add realised amounts to a trade, and close it where that was its end.
UPDATE trade_executions SET gross_pl = gross_pl + :gross_pl, financing = financing + :financing,
    commission = commission + :commission, half_spread_cost = half_spread_cost + :half_spread_cost,
    open_units = CASE WHEN :closed THEN 0 ELSE open_units + :units END,
    status = CASE WHEN :closed THEN 'CLOSED' ELSE status END,
    exit_time = CASE WHEN :closed THEN :time::timestamptz END, exit_price = CASE WHEN :closed THEN :price::numeric END,
    exit_reason = CASE WHEN :closed THEN :exit_reason::text END, updated_at = now()
WHERE id = :id AND status = 'OPEN';

-- name: add_financing :execute
-- Add overnight financing to an open trade.
UPDATE trade_executions SET financing = financing + :financing, updated_at = now() WHERE id = :id AND status = 'OPEN';

-- name: reject_execution :execute
-- The order opened nothing.
UPDATE trade_executions SET status = 'REJECTED', reason = :reason, order_id = coalesce(:order_id, order_id), updated_at = now()
WHERE id = :id AND status IN ('INTENT', 'UNKNOWN');

-- name: doubt_execution :execute
-- No answer told what became of the order.
UPDATE trade_executions SET status = 'UNKNOWN', reason = :reason, updated_at = now()
WHERE id = :id AND status IN ('INTENT', 'UNKNOWN');

-- name: open_trades :many
-- Orders that have, or may have, a trade open at the broker.
SELECT * FROM v_open_trades ORDER BY id;

-- name: closed_trades :many
-- Closed trades, newest first.
SELECT id, pair, CASE WHEN units > 0 THEN 'BUY' ELSE 'SELL' END AS side, units, entry_time, entry_price, exit_time,
    exit_price, exit_reason, gross_pl, financing, commission, net_pl, half_spread_cost, expected_price, trade_id
FROM trade_executions WHERE status = 'CLOSED' ORDER BY exit_time DESC, id DESC LIMIT :limit;

-- name: net_pl_of_day :value
-- What an account has earned on a UTC day by the broker's record: closed and partly closed trades, financing, fees.
SELECT coalesce(sum(amount), 0)::numeric(20, 4) FROM broker_transactions
WHERE account_id = :account_id AND is_profit AND time >= :day AND time < :day + interval '1 day';

-- name: last_exit_of_pair :value
-- When the newest trade of a pair that has ended did so (broker time).
SELECT exit_time FROM trade_executions WHERE account_id = :account_id AND pair = :pair AND status = 'CLOSED'
ORDER BY id DESC LIMIT 1;

-- name: ledger_account :one
-- How far the ledger of an account has read, and its balance there.
SELECT last_transaction_id, balance FROM ledger_accounts WHERE account_id = :account_id;

-- name: open_ledger :execute
-- Begin the ledger of an account.
INSERT INTO ledger_accounts (account_id, environment, currency, opening_balance, balance, opening_transaction_id,
    last_transaction_id)
VALUES (:account_id, :environment, :currency, :opening_balance, :opening_balance, :transaction_id, :transaction_id)
ON CONFLICT (account_id) DO NOTHING;

-- name: lock_ledger :one
-- How far the ledger has read and its balance there, locked until the end of the transaction.
SELECT last_transaction_id, balance FROM ledger_accounts WHERE account_id = :account_id FOR UPDATE;

-- name: advance_ledger :execute
-- Note how far the broker's record has been applied, and the balance there.
UPDATE ledger_accounts SET last_transaction_id = :transaction_id, balance = :balance
WHERE account_id = :account_id AND last_transaction_id < :transaction_id;

-- name: insert_broker_transaction :execute
-- Copy one of the broker's transactions.
INSERT INTO broker_transactions (account_id, id, time, type, amount, is_profit, balance, client_id, raw)
VALUES (:account_id, :id, :time, :type, :amount, :is_profit, :balance, :client_id, :raw);

-- name: ledger_totals :one
-- Profit by the copied record, money moved in and out, and the newest balance the broker stated.
SELECT a.opening_balance, coalesce(sum(t.amount) FILTER (WHERE t.is_profit), 0)::numeric(20, 4) AS net_pl,
    coalesce(sum(t.amount) FILTER (WHERE NOT t.is_profit), 0)::numeric(20, 4) AS transfers,
    count(t.id) AS transactions,
    (SELECT b.balance FROM broker_transactions b WHERE b.account_id = a.account_id AND b.balance IS NOT NULL
        ORDER BY b.id DESC LIMIT 1) AS balance
FROM ledger_accounts a LEFT JOIN broker_transactions t ON t.account_id = a.account_id
WHERE a.account_id = :account_id GROUP BY a.account_id, a.opening_balance;

-- name: executions_net_pl :value
-- Net P&L of all executions of an account.
SELECT coalesce(sum(net_pl), 0)::numeric(20, 4) FROM trade_executions WHERE account_id = :account_id;

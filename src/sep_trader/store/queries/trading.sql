-- name: insert_intent<!
-- Write an order's intent, before it is sent.
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, intent_transaction_id,
    expected_price, stop_price, target_price)
VALUES (:signal_id, :account_id, :pair, :client_id, 'INTENT', :units, :intent_time, :intent_transaction_id,
    :expected_price, :stop_price, :target_price)
RETURNING id;

-- name: unsettled_executions
-- Executions that have, or may have, something at the broker; oldest first.
SELECT e.id, e.signal_id, e.account_id, e.pair, e.client_id, e.status, e.units, e.open_units, e.intent_time, e.intent_transaction_id,
    e.expected_price, e.stop_price, e.target_price, e.trade_id, e.entry_time, e.entry_price, e.horizon_at, s.horizon
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.account_id = :account_id AND e.status IN ('INTENT', 'OPEN', 'UNKNOWN') ORDER BY e.id;

-- name: execution_by_client_id^
-- The execution an order's client id belongs to.
SELECT e.*, s.horizon FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.account_id = :account_id AND e.client_id = :client_id;

-- name: ordered_before$
-- Whether the broker's record, as far as it was copied, holds an order with this client id since a time.
SELECT EXISTS (
    SELECT FROM (
        SELECT time, raw FROM broker_transactions WHERE account_id = :account_id ORDER BY id DESC LIMIT 5000
    ) AS newest
    WHERE time >= :since
        AND (raw -> 'clientExtensions' ->> 'id' = :client_id OR raw ->> 'clientOrderID' = :client_id)
);

-- name: execution_by_trade_id^
-- The execution a broker's trade belongs to.
SELECT e.*, s.horizon FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.account_id = :account_id AND e.trade_id = :trade_id;

-- name: set_execution_open!
-- The order was filled and opened a trade.
UPDATE trade_executions SET status = 'OPEN', order_id = :order_id, trade_id = :trade_id, units = :units, open_units = :units,
    entry_time = :entry_time, entry_price = :entry_price, horizon_at = :entry_time::timestamptz + :horizon::interval,
    gross_pl = gross_pl + :gross_pl, financing = financing + :financing, commission = commission + :commission,
    half_spread_cost = half_spread_cost + :half_spread_cost, reason = NULL, updated_at = now()
WHERE id = :id AND status IN ('INTENT', 'UNKNOWN', 'REJECTED');

-- name: add_execution_result!
-- Add realised amounts to a trade, and close it where that was its end.
UPDATE trade_executions SET gross_pl = gross_pl + :gross_pl, financing = financing + :financing,
    commission = commission + :commission, half_spread_cost = half_spread_cost + :half_spread_cost,
    open_units = CASE WHEN :closed THEN 0 ELSE open_units + :units END,
    status = CASE WHEN :closed THEN 'CLOSED' ELSE status END,
    exit_time = CASE WHEN :closed THEN :time::timestamptz END, exit_price = CASE WHEN :closed THEN :price::numeric END,
    exit_reason = CASE WHEN :closed THEN :exit_reason::text END, updated_at = now()
WHERE id = :id AND status = 'OPEN';

-- name: set_execution_unsettled!
-- The order came to nothing (REJECTED), or nobody knows yet (UNKNOWN).
UPDATE trade_executions SET status = :status, reason = :reason, order_id = coalesce(:order_id, order_id), updated_at = now()
WHERE id = :id AND status IN ('INTENT', 'UNKNOWN');

-- name: open_trades
-- Orders that have, or may have, a trade open at the broker.
SELECT * FROM v_open_trades ORDER BY id;

-- name: closed_trades
-- Closed trades, newest first.
SELECT id, pair, CASE WHEN units > 0 THEN 'BUY' ELSE 'SELL' END AS side, units, entry_time, entry_price, exit_time,
    exit_price, exit_reason, gross_pl, financing, commission, net_pl, half_spread_cost, expected_price, trade_id
FROM trade_executions WHERE status = 'CLOSED' ORDER BY exit_time DESC, id DESC LIMIT :limit;

-- name: net_pl_of_day$
-- Net P&L of the trades of an account that closed on a UTC day (broker time).
SELECT coalesce(sum(net_pl), 0)::numeric(20, 4) FROM trade_executions
WHERE account_id = :account_id AND status = 'CLOSED' AND exit_time >= :day AND exit_time < :day + interval '1 day';

-- name: ledger_account^
-- Where the ledger of an account begins and how far it has read.
SELECT account_id, environment, currency, opening_balance, opening_transaction_id, last_transaction_id
FROM ledger_accounts WHERE account_id = :account_id;

-- name: open_ledger!
-- Begin the ledger of an account.
INSERT INTO ledger_accounts (account_id, environment, currency, opening_balance, opening_transaction_id, last_transaction_id)
VALUES (:account_id, :environment, :currency, :opening_balance, :transaction_id, :transaction_id)
ON CONFLICT (account_id) DO NOTHING;

-- name: lock_ledger$
-- The last transaction that was applied, locked until the end of the transaction.
SELECT last_transaction_id FROM ledger_accounts WHERE account_id = :account_id FOR UPDATE;

-- name: advance_ledger!
-- Note how far the broker's record has been applied.
UPDATE ledger_accounts SET last_transaction_id = :transaction_id
WHERE account_id = :account_id AND last_transaction_id < :transaction_id;

-- name: insert_broker_transaction!
-- Copy one of the broker's transactions.
INSERT INTO broker_transactions (account_id, id, time, type, amount, is_profit, balance, raw)
VALUES (:account_id, :id, :time, :type, :amount, :is_profit, :balance, :raw);

-- name: ledger_totals^
-- Profit by the copied record, money moved in and out, and the newest balance the broker stated.
SELECT a.opening_balance, coalesce(sum(t.amount) FILTER (WHERE t.is_profit), 0)::numeric(20, 4) AS net_pl,
    coalesce(sum(t.amount) FILTER (WHERE NOT t.is_profit), 0)::numeric(20, 4) AS transfers,
    count(t.id) AS transactions,
    (SELECT b.balance FROM broker_transactions b WHERE b.account_id = a.account_id AND b.balance IS NOT NULL
        ORDER BY b.id DESC LIMIT 1) AS balance
FROM ledger_accounts a LEFT JOIN broker_transactions t ON t.account_id = a.account_id
WHERE a.account_id = :account_id GROUP BY a.account_id, a.opening_balance;

-- name: executions_net_pl$
-- Net P&L of all executions of an account.
SELECT coalesce(sum(net_pl), 0)::numeric(20, 4) FROM trade_executions WHERE account_id = :account_id;

-- name: trading_state^
-- The switch and who set it.
SELECT state, reason, changed_by, changed_at FROM trading_state;

-- name: reduce_trading!
-- Let a protection turn ACTIVE down to REDUCING; a person's HALTED stays.
UPDATE trading_state SET state = 'REDUCING', reason = :reason, changed_by = :changed_by, changed_at = now()
WHERE state = 'ACTIVE';

-- name: set_trading_state!
-- Turn the switch.
UPDATE trading_state SET state = :state, reason = :reason, changed_by = :changed_by, changed_at = now();

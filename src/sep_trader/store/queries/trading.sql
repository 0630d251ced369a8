-- name: lock_new_signal :value
-- Whether a signal is still NEW, locked until the end of the transaction.
SELECT status FROM trading_signals WHERE id = :signal_id FOR UPDATE;

-- name: lock_switch :value
-- The switch, which nobody turns before the end of the transaction.
SELECT state FROM trading_state FOR SHARE;

-- name: holds_lock :value
-- Whether the session with this number still holds the lock that keeps a second trader out.
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = :pid
    AND ((classid::bigint << 32) | objid::bigint) = :key);

-- name: insert_intent :value
-- Write an order's intent, before it is sent.
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, intent_time, intent_transaction_id,
    expected_price, stop_price, target_price, stop_distance, target_distance, price_bound, deadline, quote_bid, quote_ask,
    quote_time)
VALUES (:signal_id, :account_id, :pair, :client_id, 'INTENT', :units, :intent_time, :intent_transaction_id,
    :expected_price, :expected_price - sign(:units::numeric) * :stop_distance,
    :expected_price + sign(:units::numeric) * :target_distance::numeric, :stop_distance, :target_distance, :price_bound, :deadline,
    :quote_bid, :quote_ask, :quote_time)
RETURNING id;

-- name: execution_by_client_id :one
-- The execution an order's client id belongs to.
SELECT e.id, e.signal_id, e.account_id, e.pair, e.client_id, e.status, e.units, e.open_units, e.intent_time,
    e.intent_transaction_id, e.expected_price, coalesce(e.stop_distance, s.stop_distance) AS stop_distance,
    coalesce(e.target_distance, s.target_distance) AS target_distance, e.deadline, e.trade_id, e.entry_price, e.horizon_at,
    e.late, e.closing_order_id, e.closing_cause, least(s.horizon, interval '100 years') AS horizon, s.candle_time,
    s.granularity
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.account_id = :account_id AND e.client_id = :client_id;

-- name: client_id_of_order :value
-- The name that an order had when the broker accepted it, by the copied record.
SELECT client_id FROM broker_transactions WHERE account_id = :account_id AND id = :order_id;

-- name: execution_by_trade_id :one
-- The execution a broker's trade belongs to.
SELECT e.id, e.signal_id, e.account_id, e.pair, e.client_id, e.status, e.units, e.open_units, e.intent_time,
    e.intent_transaction_id, e.expected_price, coalesce(e.stop_distance, s.stop_distance) AS stop_distance,
    coalesce(e.target_distance, s.target_distance) AS target_distance, e.deadline, e.trade_id, e.entry_price, e.horizon_at,
    e.late, e.closing_order_id, e.closing_cause, least(s.horizon, interval '100 years') AS horizon, s.candle_time,
    s.granularity
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.account_id = :account_id AND e.trade_id = :trade_id;

-- name: set_execution_open :execute
-- The order was filled and opened a trade; late where it had been given up or refused.
UPDATE trade_executions SET status = 'OPEN', late = status IN ('GIVEN_UP', 'REJECTED'), order_id = :order_id,
    trade_id = :trade_id, units = :units, open_units = :units, entry_time = :entry_time, entry_price = :entry_price,
    stop_price = CASE WHEN stop_distance IS NULL THEN stop_price ELSE :entry_price - sign(:units::numeric) * stop_distance END,
    target_price = CASE WHEN target_distance IS NULL THEN target_price ELSE :entry_price + sign(:units::numeric) * target_distance END,
    horizon_at = :horizon_at, fill_bid = :fill_bid, fill_ask = :fill_ask, gross_pl = gross_pl + :gross_pl,
    financing = financing + :financing, commission = commission + :commission, conversion = conversion + :conversion,
    half_spread_cost = half_spread_cost + :half_spread_cost, reason = NULL, updated_at = now()
WHERE id = :id AND status IN ('INTENT', 'UNKNOWN', 'GIVEN_UP', 'REJECTED');

-- name: add_execution_result :execute
-- Add realised amounts to a trade, and close it where that was its end.
UPDATE trade_executions SET gross_pl = gross_pl + :gross_pl, financing = financing + :financing,
    commission = commission + :commission, conversion = conversion + :conversion,
    half_spread_cost = half_spread_cost + :half_spread_cost,
    open_units = CASE WHEN :closed THEN 0 ELSE open_units + :units END,
    status = CASE WHEN :closed THEN 'CLOSED' ELSE status END,
    exit_time = CASE WHEN :closed THEN :time::timestamptz END, exit_price = CASE WHEN :closed THEN :price::numeric END,
    exit_reason = CASE WHEN :closed THEN :exit_reason::text END, exit_bid = CASE WHEN :closed THEN :bid::numeric END,
    exit_ask = CASE WHEN :closed THEN :ask::numeric END, updated_at = now()
WHERE id = :id AND status = 'OPEN';

-- name: add_financing :execute
-- Add overnight financing to an open trade.
UPDATE trade_executions SET financing = financing + :financing, updated_at = now() WHERE id = :id AND status = 'OPEN';

-- name: reject_execution :execute
-- The order opened nothing.
UPDATE trade_executions SET status = 'REJECTED', reason = :reason, order_id = coalesce(:order_id, order_id), updated_at = now()
WHERE id = :id AND status IN ('INTENT', 'UNKNOWN', 'GIVEN_UP');

-- name: doubt_execution :execute
-- No answer told what became of the order.
UPDATE trade_executions SET status = 'UNKNOWN', reason = :reason, updated_at = now() WHERE id = :id AND status = 'INTENT';

-- name: give_up_execution :execute
-- The broker's complete record does not hold the order.
UPDATE trade_executions SET status = 'GIVEN_UP', reason = :reason, updated_at = now() WHERE id = :id AND status = 'UNKNOWN';

-- name: note_closing :execute
-- Keep why we closed a trade, and with which order.
UPDATE trade_executions SET closing_order_id = :order_id, closing_cause = :cause, updated_at = now()
WHERE account_id = :account_id AND trade_id = :trade_id AND status = 'OPEN';

-- name: open_trades :many
-- Orders that have, or may have, a trade open at the broker.
SELECT * FROM v_open_trades ORDER BY id;

-- name: closed_trades :many
-- Closed trades, newest first.
SELECT id, pair, CASE WHEN units > 0 THEN 'BUY' ELSE 'SELL' END AS side, units, entry_time, entry_price, exit_time,
    exit_price, exit_reason, gross_pl, financing, commission, net_pl, half_spread_cost, expected_price, trade_id
FROM trade_executions WHERE status = 'CLOSED' ORDER BY exit_time DESC, id DESC LIMIT :limit;

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

-- name: insert_entries :execute
-- Write the sides of a transaction; they add up to 0, which the database checks.
INSERT INTO ledger_entries (account_id, transaction_id, entry, line, amount, time, pair, trade_id)
SELECT :account_id, :transaction_id, n.kind, row_number() OVER (PARTITION BY n.kind ORDER BY n.place)
        + (SELECT count(*) FROM ledger_entries l WHERE l.account_id = :account_id
            AND l.transaction_id = :transaction_id AND l.entry = n.kind), n.amount, :time,
    coalesce(n.pair, (SELECT e.pair FROM trade_executions e WHERE e.account_id = :account_id AND e.trade_id = n.trade_id)),
    n.trade_id
FROM unnest(:kinds::text[], :amounts::numeric[], :pairs::text[], :trade_ids::bigint[])
    WITH ORDINALITY AS n (kind, amount, pair, trade_id, place);

-- name: ledger_sums :many
-- What each side of the ledger adds up to, of the broker's days from one to another; all of them where none is given.
SELECT entry, sum(amount)::numeric(20, 4) AS amount FROM ledger_entries
WHERE account_id = :account_id AND (:since::date IS NULL OR broker_day(time) >= :since)
    AND (:until::date IS NULL OR broker_day(time) <= :until)
GROUP BY entry ORDER BY entry;

-- name: correct_ledger :execute
-- Take the broker's balance for the truth.
UPDATE ledger_accounts SET balance = balance + :amount WHERE account_id = :account_id;

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

-- name: edge_promised :one
-- What the verdict of a pair that trades by it promised. One that cannot be read is an error, which its reader tells.
SELECT (p.account->'promise'->>'edge_r')::float8 AS edge_r, (p.account->'promise'->>'trades_a_year')::integer AS trades_a_year,
    (p.account->'promise'->>'since')::timestamptz AS since
FROM trading_pairs p WHERE p.pair = :pair AND p.enabled AND p.override_reason IS NULL;

-- name: live_outcomes :many
-- Closed trades of a pair's signals since a time, oldest first: the outcome over the stop distance (R) with all charges, and
-- the most that it could have been.
SELECT (sign(e.units) * (e.exit_price - e.entry_price) / e.stop_distance
        * CASE WHEN e.gross_pl <> 0 THEN e.net_pl / e.gross_pl ELSE 1 END)::float8 AS outcome,
    coalesce(e.target_distance / e.stop_distance, 10)::float8 AS most
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.pair = :pair AND e.status = 'CLOSED' AND s.origin = 'model' AND e.stop_distance > 0 AND e.exit_price IS NOT NULL
    AND e.entry_time >= :since
ORDER BY e.exit_time, e.id;

-- name: edge_gone :execute
-- Take the right of a pair whose live trades lost the promised edge; its account begins anew.
UPDATE trading_pairs SET enabled = false, verdict = 'UNDECIDABLE', verdict_reason = :reason, reasons = '["DECAYED"]',
    disabled_reason = :reason, decayed_at = :when, changed_by = 'decay alarm', change_reason = :reason,
    account = account - 'promise', updated_at = now()
WHERE pair = :pair;

-- name: end_exit_signals :execute
-- End the exit signals that asked to close what an execution had opened: it is closed.
UPDATE trading_signals x SET status = 'EXECUTED', reason_code = 'CLOSED', reason = :reason, decided_at = :when
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.id = :id AND x.kind = 'EXIT' AND x.status = 'NEW' AND x.pair = e.pair AND x.model_id = s.model_id
    AND x.side * sign(e.units) < 0;

-- name: live_day :many
-- Signals of a model whose candles began within a span, with what became of them.
SELECT s.candle_time, s.side, s.stop_distance, s.target_distance, s.horizon, s.status, s.reason_code, e.units, e.entry_price,
    e.entry_time, e.fill_bid, e.fill_ask, e.exit_price, e.exit_time, e.exit_reason, e.exit_bid, e.exit_ask,
    e.stop_distance AS order_stop, e.target_distance AS order_target, e.gross_pl, e.financing, e.conversion, e.net_pl
FROM trading_signals s LEFT JOIN trade_executions e ON e.signal_id = s.id
WHERE s.model_id = :model_id AND s.kind = 'ENTRY' AND s.candle_time >= :first AND s.candle_time < :after
ORDER BY s.candle_time;

-- name: stated_models :many
-- The models that a day is stated for: those that pairs are enabled with, and those that proposed within the span.
SELECT m.pair, m.artifact, (SELECT p.enabled_at FROM trading_pairs p WHERE p.model_id = m.id AND p.enabled) AS enabled_at
FROM models m WHERE EXISTS (SELECT FROM trading_pairs p WHERE p.model_id = m.id AND p.enabled)
    OR EXISTS (SELECT FROM trading_signals s WHERE s.model_id = m.id AND s.candle_time >= :first AND s.candle_time < :after)
ORDER BY m.pair, m.id;

-- name: balance_at :value
-- The balance that the broker stated last before a time; that of the ledger's beginning where it stated none.
SELECT coalesce((SELECT t.balance FROM broker_transactions t WHERE t.account_id = :account_id AND t.balance IS NOT NULL
    AND t.time < :moment ORDER BY t.id DESC LIMIT 1),
    (SELECT l.opening_balance FROM ledger_accounts l WHERE l.account_id = :account_id));

-- name: keep_statement :execute
-- Keep the statement of a day; one that was made before is made anew.
INSERT INTO live_statements (day, pair, model_id, decisions, decisions_identical, trades, identical, live, backtest, parts,
    residual, differing)
VALUES (:day, :pair, :model_id, :decisions, :decisions_identical, :trades, :identical, :live, :backtest, :parts, :residual,
    :differing)
ON CONFLICT (day, pair, model_id) DO UPDATE SET made_at = now(), decisions = excluded.decisions,
    decisions_identical = excluded.decisions_identical, trades = excluded.trades, identical = excluded.identical,
    live = excluded.live, backtest = excluded.backtest, parts = excluded.parts, residual = excluded.residual,
    differing = excluded.differing;

-- name: newest_statements :many
-- The statements of the newest day that has any.
SELECT day, pair, model_id, decisions, decisions_identical, trades, identical, live, backtest, parts, residual, differing
FROM live_statements WHERE day = (SELECT max(day) FROM live_statements) ORDER BY pair, model_id;

-- name: closed_between :many
-- Trades that were closed within a span, by the order of their exits.
SELECT e.pair, s.model_id, e.units, e.entry_time, e.exit_time, e.entry_price, e.exit_price, e.exit_reason, e.stop_distance,
    e.target_distance, e.gross_pl, e.net_pl
FROM trade_executions e JOIN trading_signals s ON s.id = e.signal_id
WHERE e.status = 'CLOSED' AND e.exit_time >= :first AND e.exit_time < :until ORDER BY e.exit_time, e.id;

-- name: statements_between :many
-- What the statements of a span of days say of live against backtest.
SELECT day, pair, decisions, decisions_identical, live, backtest, residual FROM live_statements
WHERE day >= :first AND day <= :until ORDER BY day, pair;

-- What is open is what is left of a trade after partial closes.

CREATE OR REPLACE VIEW v_open_trades AS
SELECT e.id, e.pair, CASE WHEN e.units > 0 THEN 'BUY' ELSE 'SELL' END AS side,
    CASE WHEN e.status = 'OPEN' THEN e.open_units ELSE e.units END AS units, e.status, e.entry_time, e.entry_price,
    e.stop_price, e.target_price, e.horizon_at, e.trade_id, e.account_id, e.signal_id, s.confidence
FROM trade_executions e
JOIN trading_signals s ON s.id = e.signal_id
WHERE e.status IN ('INTENT', 'OPEN', 'UNKNOWN');

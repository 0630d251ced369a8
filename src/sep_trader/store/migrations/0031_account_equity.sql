-- What the account was worth over time, and what each open trade earns now: in money, in pips and in units of its risk.

CREATE TABLE account_equity (
    account_id text NOT NULL,
    time timestamptz NOT NULL,
    balance numeric(20, 4) NOT NULL,
    nav numeric(20, 4) NOT NULL,
    margin_used numeric(20, 4) NOT NULL,
    open_trades integer NOT NULL,
    PRIMARY KEY (account_id, time)
);
COMMENT ON TABLE account_equity IS 'The account once a minute while a trader runs; older rows are thinned to one an hour, then one a day.';
COMMENT ON COLUMN account_equity.account_id IS 'The broker account.';
COMMENT ON COLUMN account_equity.time IS 'The minute, by this server''s clock.';
COMMENT ON COLUMN account_equity.balance IS 'Its balance in that minute''s first pass.';
COMMENT ON COLUMN account_equity.nav IS 'Its net asset value: balance and unrealised profit or loss.';
COMMENT ON COLUMN account_equity.margin_used IS 'Its margin in use.';
COMMENT ON COLUMN account_equity.open_trades IS 'Its open trades, a person''s own included.';

COMMENT ON COLUMN broker_accounts.trades IS 'Every open trade then, a person''s own included: trade_id, pair, units, price, open_time, stop_price, target_price, trailing_distance, unrealized_pl, current_price (at which it would be closed), client_id, owner (ours; person; another: another database of this system).';

CREATE OR REPLACE VIEW v_open_trades AS
SELECT e.id, e.pair, CASE WHEN e.units > 0 THEN 'BUY' ELSE 'SELL' END AS side,
    coalesce(b.units, CASE WHEN e.status = 'OPEN' THEN e.open_units ELSE e.units END) AS units, e.status, e.entry_time,
    e.entry_price,
    CASE WHEN b.trade_id IS NULL THEN e.stop_price ELSE b.stop_price END AS stop_price,
    CASE WHEN b.trade_id IS NULL THEN e.target_price ELSE b.target_price END AS target_price,
    e.horizon_at, e.trade_id, e.account_id, e.signal_id, s.confidence,
    b.trade_id IS NOT NULL AS seen, a.seen_at, extract(epoch FROM now() - a.seen_at)::float8 AS age_s, b.unrealized_pl,
    b.current_price,
    round((b.current_price - e.entry_price) * sign(e.units) / 10::numeric ^ coalesce(i.pip_location, CASE WHEN right(e.pair, 3) = 'JPY' THEN -2 ELSE -4 END), 1) AS pips,
    round((b.current_price - e.entry_price) * sign(e.units) / nullif(coalesce(e.stop_distance, s.stop_distance), 0), 2) AS r
FROM trade_executions e
JOIN trading_signals s ON s.id = e.signal_id
LEFT JOIN broker_accounts a ON a.account_id = e.account_id
LEFT JOIN instruments i ON i.name = e.pair
LEFT JOIN LATERAL (SELECT * FROM jsonb_to_recordset(a.trades) AS b (trade_id bigint, pair text, units numeric, price numeric,
    open_time timestamptz, stop_price numeric, target_price numeric, trailing_distance numeric, unrealized_pl numeric,
    current_price numeric, client_id text, owner text) WHERE b.trade_id = e.trade_id) b ON e.status = 'OPEN'
WHERE e.status IN ('INTENT', 'OPEN', 'UNKNOWN');
COMMENT ON VIEW v_open_trades IS 'Orders that have, or may have, a trade open at the broker: units and exits are those that the broker showed in the trader''s last pass (seen; age_s tells how long ago that was), else those of the books. pips and r (of the distance of its first stop) are at the price at which it would be closed.';

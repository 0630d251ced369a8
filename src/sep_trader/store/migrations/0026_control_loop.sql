-- The trader is a control loop: what it sees at the broker in each pass is kept beside the books, the states of an order
-- can only go forward, people ask through a table, and the ledger has two sides.

INSERT INTO system_config (key, value) VALUES ('database_id', to_jsonb(gen_random_uuid()::text))
ON CONFLICT (key) DO NOTHING;

-- Orders ------------------------------------------------------------------------------------------------------------

ALTER TABLE trade_executions DROP CONSTRAINT trade_executions_status_check,
    ADD CONSTRAINT trade_executions_status_check
        CHECK (status IN ('INTENT', 'UNKNOWN', 'GIVEN_UP', 'OPEN', 'CLOSED', 'REJECTED')),
    ADD COLUMN stop_distance numeric, ADD COLUMN target_distance numeric, ADD COLUMN price_bound numeric,
    ADD COLUMN deadline timestamptz, ADD COLUMN quote_bid numeric, ADD COLUMN quote_ask numeric,
    ADD COLUMN quote_time timestamptz, ADD COLUMN fill_bid numeric, ADD COLUMN fill_ask numeric,
    ADD COLUMN late boolean NOT NULL DEFAULT false, ADD COLUMN closing_order_id bigint, ADD COLUMN closing_cause text,
    ADD COLUMN conversion numeric(20, 4) NOT NULL DEFAULT 0;
COMMENT ON COLUMN trade_executions.status IS 'INTENT (written, may be sent), UNKNOWN (being looked for), GIVEN_UP (never found), OPEN, CLOSED, REJECTED (nothing was opened).';
COMMENT ON COLUMN trade_executions.stop_distance IS 'Stop loss distance from the fill, price units.';
COMMENT ON COLUMN trade_executions.target_distance IS 'Take profit distance from the fill, price units; null for none.';
COMMENT ON COLUMN trade_executions.price_bound IS 'The worst price that the order accepted.';
COMMENT ON COLUMN trade_executions.deadline IS 'Not to be filled after this broker time: a fill after it is closed at once.';
COMMENT ON COLUMN trade_executions.quote_bid IS 'Bid that the decision saw.';
COMMENT ON COLUMN trade_executions.quote_ask IS 'Ask that the decision saw.';
COMMENT ON COLUMN trade_executions.quote_time IS 'Broker time of that quote.';
COMMENT ON COLUMN trade_executions.fill_bid IS 'Best bid at the fill, as the broker states it.';
COMMENT ON COLUMN trade_executions.fill_ask IS 'Best ask at the fill, as the broker states it.';
COMMENT ON COLUMN trade_executions.late IS 'Filled after it was given up or refused: the trade is closed at once.';
COMMENT ON COLUMN trade_executions.closing_order_id IS 'The order with which we closed the trade, from its answer; null where somebody else did, or the answer was lost.';
COMMENT ON COLUMN trade_executions.closing_cause IS 'Why we closed it.';
COMMENT ON COLUMN trade_executions.conversion IS 'What the conversion into the account''s currency cost, where the broker states it; contained in gross_pl.';
COMMENT ON COLUMN trade_executions.exit_reason IS 'STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, HORIZON, STOP_PASSED, LATE, FLATTENED, REQUESTED, MANUAL, MARGIN_CLOSEOUT.';
UPDATE trade_executions e SET stop_distance = s.stop_distance, target_distance = s.target_distance
FROM trading_signals s WHERE s.id = e.signal_id AND e.status IN ('INTENT', 'UNKNOWN', 'OPEN');

CREATE FUNCTION order_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> OLD.status AND NOT (
        (OLD.status = 'INTENT' AND NEW.status IN ('UNKNOWN', 'OPEN', 'REJECTED'))
        OR (OLD.status = 'UNKNOWN' AND NEW.status IN ('GIVEN_UP', 'OPEN', 'REJECTED'))
        -- A late fill: what was taken as never arrived has arrived.
        OR (OLD.status IN ('GIVEN_UP', 'REJECTED') AND NEW.status = 'OPEN' AND NEW.late)
        OR (OLD.status = 'GIVEN_UP' AND NEW.status = 'REJECTED')
        OR (OLD.status = 'OPEN' AND NEW.status = 'CLOSED')) THEN
        RAISE EXCEPTION 'an order does not go from % to %', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER forward BEFORE UPDATE OF status ON trade_executions FOR EACH ROW EXECUTE FUNCTION order_goes_forward();

CREATE FUNCTION signal_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> OLD.status AND NOT (OLD.status = 'NEW' OR (OLD.status = 'REFUSED' AND NEW.status = 'EXECUTED')) THEN
        RAISE EXCEPTION 'a signal does not go from % to %', OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER forward BEFORE UPDATE OF status ON trading_signals FOR EACH ROW EXECUTE FUNCTION signal_goes_forward();

CREATE INDEX trade_executions_intents ON trade_executions (account_id, intent_time DESC);

-- A signal says where it came from: a model, a person's probe of the path, or a person's trade taken over.
ALTER TABLE trading_signals ADD COLUMN origin text NOT NULL DEFAULT 'model' CHECK (origin IN ('model', 'probe', 'adopted')),
    ADD COLUMN max_units numeric CHECK (max_units > 0 AND max_units < 'Infinity' AND max_units <> 'NaN'),
    ALTER COLUMN model_id DROP NOT NULL,
    ADD CONSTRAINT trading_signals_origin CHECK ((origin = 'model') = (model_id IS NOT NULL));
COMMENT ON COLUMN trading_signals.origin IS 'model, probe (a person tries the path with a small trade), adopted (a person''s trade taken over).';
COMMENT ON COLUMN trading_signals.max_units IS 'At most this many units; null for what the risk gives.';
COMMENT ON COLUMN trading_signals.model_id IS 'The model that proposed it; null for a probe or an adopted trade.';

-- What the broker shows ----------------------------------------------------------------------------------------------

CREATE TABLE broker_accounts (
    account_id text PRIMARY KEY,
    created_time timestamptz,
    seen_at timestamptz NOT NULL DEFAULT now(),
    broker_time timestamptz,
    transaction_id bigint NOT NULL,
    balance numeric(20, 4) NOT NULL,
    nav numeric(20, 4) NOT NULL,
    margin_used numeric(20, 4) NOT NULL,
    margin_available numeric(20, 4) NOT NULL,
    nav_high numeric(20, 4) NOT NULL,
    day date NOT NULL,
    day_nav numeric(20, 4) NOT NULL,
    week date NOT NULL,
    week_nav numeric(20, 4) NOT NULL,
    trades jsonb NOT NULL
);
COMMENT ON TABLE broker_accounts IS 'What the broker said of an account in the trader''s last pass, and the marks that its losses are measured from.';
COMMENT ON COLUMN broker_accounts.account_id IS 'The broker account.';
COMMENT ON COLUMN broker_accounts.created_time IS 'When the account began, by the broker: another time is another account of the same name.';
COMMENT ON COLUMN broker_accounts.seen_at IS 'When the trader saw it, by this server''s clock.';
COMMENT ON COLUMN broker_accounts.broker_time IS 'The broker''s time then.';
COMMENT ON COLUMN broker_accounts.transaction_id IS 'The account''s last transaction then.';
COMMENT ON COLUMN broker_accounts.balance IS 'Its balance.';
COMMENT ON COLUMN broker_accounts.nav IS 'Its net asset value: balance and unrealised profit or loss.';
COMMENT ON COLUMN broker_accounts.margin_used IS 'Its margin in use.';
COMMENT ON COLUMN broker_accounts.margin_available IS 'Its free margin.';
COMMENT ON COLUMN broker_accounts.nav_high IS 'The highest NAV so far; money paid in or out moves it.';
COMMENT ON COLUMN broker_accounts.day IS 'The broker''s day, which begins at 17:00 New York and is named after the day on which it ends.';
COMMENT ON COLUMN broker_accounts.day_nav IS 'NAV when that day began; money paid in or out moves it.';
COMMENT ON COLUMN broker_accounts.week IS 'The Monday of the broker''s week, which begins on Sunday at 17:00 New York.';
COMMENT ON COLUMN broker_accounts.week_nav IS 'NAV when that week began; money paid in or out moves it.';
COMMENT ON COLUMN broker_accounts.trades IS 'Every open trade then, a person''s own included: trade_id, pair, units, price, open_time, stop_price, target_price, trailing_distance, unrealized_pl, client_id, owner (ours; person; another: another database of this system).';

CREATE OR REPLACE VIEW v_open_trades AS
SELECT e.id, e.pair, CASE WHEN e.units > 0 THEN 'BUY' ELSE 'SELL' END AS side,
    coalesce(b.units, CASE WHEN e.status = 'OPEN' THEN e.open_units ELSE e.units END) AS units, e.status, e.entry_time,
    e.entry_price,
    CASE WHEN b.trade_id IS NULL THEN e.stop_price ELSE b.stop_price END AS stop_price,
    CASE WHEN b.trade_id IS NULL THEN e.target_price ELSE b.target_price END AS target_price,
    e.horizon_at, e.trade_id, e.account_id, e.signal_id, s.confidence,
    b.trade_id IS NOT NULL AS seen, a.seen_at, extract(epoch FROM now() - a.seen_at)::float8 AS age_s, b.unrealized_pl
FROM trade_executions e
JOIN trading_signals s ON s.id = e.signal_id
LEFT JOIN broker_accounts a ON a.account_id = e.account_id
LEFT JOIN LATERAL (SELECT * FROM jsonb_to_recordset(a.trades) AS b (trade_id bigint, pair text, units numeric, price numeric,
    open_time timestamptz, stop_price numeric, target_price numeric, trailing_distance numeric, unrealized_pl numeric,
    client_id text, owner text) WHERE b.trade_id = e.trade_id) b ON e.status = 'OPEN'
WHERE e.status IN ('INTENT', 'OPEN', 'UNKNOWN');
COMMENT ON VIEW v_open_trades IS 'Orders that have, or may have, a trade open at the broker: units and exits are those that the broker showed in the trader''s last pass (seen; age_s tells how long ago that was), else those of the books.';

CREATE VIEW v_persons_trades AS
SELECT b.trade_id, b.pair, CASE WHEN b.units > 0 THEN 'BUY' ELSE 'SELL' END AS side, b.units, b.price, b.open_time,
    b.stop_price, b.target_price, b.unrealized_pl, b.owner, a.account_id, a.seen_at,
    extract(epoch FROM now() - a.seen_at)::float8 AS age_s
FROM broker_accounts a CROSS JOIN LATERAL jsonb_to_recordset(a.trades) AS b (trade_id bigint, pair text, units numeric, price numeric,
    open_time timestamptz, stop_price numeric, target_price numeric, trailing_distance numeric, unrealized_pl numeric,
    client_id text, owner text)
WHERE b.owner <> 'ours';
COMMENT ON VIEW v_persons_trades IS 'Open trades of the account that are not ours: they are shown and left alone.';

-- What people ask of the trader --------------------------------------------------------------------------------------

CREATE TABLE trading_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind IN ('flatten', 'close')),
    account_id text NOT NULL,
    pair text,
    trade_id bigint,
    everything boolean NOT NULL DEFAULT false,
    requested_by text NOT NULL,
    reason text NOT NULL,
    status text NOT NULL DEFAULT 'NEW' CHECK (status IN ('NEW', 'DONE', 'REFUSED')),
    answered_at timestamptz,
    answer text,
    CHECK ((status = 'NEW') = (answered_at IS NULL)),
    CHECK ((kind = 'close') = (trade_id IS NOT NULL))
);
CREATE INDEX trading_requests_new ON trading_requests (id) WHERE status = 'NEW';
COMMENT ON TABLE trading_requests IS 'What people ask of the trader: close a trade, or all of them. The next pass takes it up, and it stays NEW until nothing of it is open.';
COMMENT ON COLUMN trading_requests.id IS 'Order of the requests.';
COMMENT ON COLUMN trading_requests.requested_at IS 'When, by this server''s clock.';
COMMENT ON COLUMN trading_requests.kind IS 'flatten (all trades, or those of a pair) or close (one trade).';
COMMENT ON COLUMN trading_requests.account_id IS 'The broker account.';
COMMENT ON COLUMN trading_requests.pair IS 'Only this pair; null for all.';
COMMENT ON COLUMN trading_requests.trade_id IS 'The trade to close.';
COMMENT ON COLUMN trading_requests.everything IS 'A person''s own trades, too.';
COMMENT ON COLUMN trading_requests.requested_by IS 'Who asked.';
COMMENT ON COLUMN trading_requests.reason IS 'Why.';
COMMENT ON COLUMN trading_requests.status IS 'NEW, DONE or REFUSED.';
COMMENT ON COLUMN trading_requests.answered_at IS 'When it ended, by this server''s clock.';
COMMENT ON COLUMN trading_requests.answer IS 'What became of it.';
CREATE FUNCTION notify_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('trading_requests', NEW.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER notified AFTER INSERT ON trading_requests FOR EACH ROW EXECUTE FUNCTION notify_request();
CREATE FUNCTION notify_switch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('trading_requests', NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER notified AFTER UPDATE ON trading_state FOR EACH ROW EXECUTE FUNCTION notify_switch();

-- The ledger ---------------------------------------------------------------------------------------------------------

CREATE TABLE ledger_entries (
    account_id text NOT NULL,
    transaction_id bigint NOT NULL,
    entry text NOT NULL CHECK (entry IN ('cash', 'trading', 'conversion', 'financing', 'commission', 'fees', 'dividends',
        'adjustments', 'transfers', 'other', 'unexplained')),
    line smallint NOT NULL DEFAULT 0,
    amount numeric(20, 4) NOT NULL CHECK (amount <> 0),
    time timestamptz NOT NULL,
    pair text,
    trade_id bigint,
    PRIMARY KEY (account_id, transaction_id, entry, line)
);
CREATE INDEX ledger_entries_time ON ledger_entries (account_id, time);
COMMENT ON TABLE ledger_entries IS 'Double entry in the account''s currency: the amounts of a transaction add up to 0. cash is what the account holds; the others say where it came from (negative: received) or went (positive: paid).';
COMMENT ON COLUMN ledger_entries.account_id IS 'The broker account.';
COMMENT ON COLUMN ledger_entries.transaction_id IS 'The broker''s transaction that it comes from.';
COMMENT ON COLUMN ledger_entries.entry IS 'cash, or the side that cash came from or went to.';
COMMENT ON COLUMN ledger_entries.line IS 'Several of one kind in a transaction.';
COMMENT ON COLUMN ledger_entries.amount IS 'Account currency; debit is positive, credit negative.';
COMMENT ON COLUMN ledger_entries.time IS 'Broker time.';
COMMENT ON COLUMN ledger_entries.pair IS 'Instrument, where it is about one.';
COMMENT ON COLUMN ledger_entries.trade_id IS 'The broker''s trade, where it is about one.';

CREATE FUNCTION entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT account_id, transaction_id FROM written) w
        JOIN ledger_entries l USING (account_id, transaction_id)
        GROUP BY l.account_id, l.transaction_id HAVING sum(l.amount) <> 0) THEN
        RAISE EXCEPTION 'the entries of a transaction do not add up to 0' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER balanced AFTER INSERT ON ledger_entries REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION entries_balance();

-- What was booked before has one amount a transaction: it becomes entries by its type.
INSERT INTO ledger_entries (account_id, transaction_id, entry, amount, time, pair)
SELECT t.account_id, t.id, side.entry, side.amount, t.time, t.raw->>'instrument'
FROM broker_transactions t CROSS JOIN LATERAL (VALUES
    ('cash', t.amount),
    (CASE WHEN t.type = 'ORDER_FILL' THEN 'trading' WHEN t.type = 'DAILY_FINANCING' THEN 'financing'
        WHEN t.type = 'DIVIDEND_ADJUSTMENT' THEN 'dividends' WHEN NOT t.is_profit THEN 'transfers' ELSE 'other' END,
     -t.amount)) AS side (entry, amount)
WHERE t.amount <> 0;

-- The days of performance_metrics ------------------------------------------------------------------------------------

CREATE FUNCTION broker_day(at timestamptz) RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ((at AT TIME ZONE 'America/New_York') + interval '7 hours')::date
$$;
COMMENT ON FUNCTION broker_day IS 'The broker''s day: it begins at 17:00 New York and is named after the day on which it ends.';

ALTER TABLE performance_metrics ADD COLUMN financing numeric(20, 4) NOT NULL DEFAULT 0,
    ADD COLUMN commission numeric(20, 4) NOT NULL DEFAULT 0, ADD COLUMN conversion numeric(20, 4) NOT NULL DEFAULT 0,
    ADD COLUMN peak numeric(20, 4) NOT NULL DEFAULT 0;
COMMENT ON TABLE performance_metrics IS 'Daily figures per pair, written by the trader as signals come and trades close; they outlive the rows they were computed from.';
COMMENT ON COLUMN performance_metrics.day IS 'The broker''s day: from 17:00 New York to 17:00 New York, named after the day on which it ends. Rows of days before this rule was in force, whose trades are gone, are UTC days.';
COMMENT ON COLUMN performance_metrics.financing IS 'Overnight financing of the trades closed that day, account currency.';
COMMENT ON COLUMN performance_metrics.commission IS 'Commission of these, account currency; positive is a charge.';
COMMENT ON COLUMN performance_metrics.conversion IS 'Cost of conversion of these, account currency; contained in gross_pl.';
COMMENT ON COLUMN performance_metrics.peak IS 'Highest running net P&L of the day, start of day included.';

DELETE FROM performance_metrics p WHERE EXISTS (SELECT FROM v_daily_performance v WHERE (v.day, v.pair) = (p.day, p.pair));
DROP VIEW v_daily_performance;
WITH running AS (
    SELECT broker_day(exit_time) AS day, pair, gross_pl, net_pl, financing, commission, exit_time, id,
        sum(net_pl) OVER (PARTITION BY broker_day(exit_time), pair ORDER BY exit_time, id) AS so_far
    FROM trade_executions WHERE status = 'CLOSED'
), peaks AS (
    SELECT *, greatest(0, max(so_far) OVER (PARTITION BY day, pair ORDER BY exit_time, id)) AS peak FROM running
), closed AS (
    SELECT day, pair, count(*) AS trades, count(*) FILTER (WHERE net_pl > 0) AS wins, sum(gross_pl) AS gross_pl,
        sum(net_pl) AS net_pl, max(peak - so_far) AS max_drawdown, sum(financing) AS financing,
        sum(commission) AS commission, max(peak) AS peak
    FROM peaks GROUP BY day, pair
), proposed AS (
    SELECT broker_day(candle_time) AS day, pair, count(*) AS signals FROM trading_signals GROUP BY 1, 2
)
INSERT INTO performance_metrics (day, pair, signals, trades, wins, gross_pl, net_pl, max_drawdown, financing, commission, peak)
SELECT day, pair, coalesce(p.signals, 0), coalesce(c.trades, 0), coalesce(c.wins, 0), coalesce(c.gross_pl, 0),
    coalesce(c.net_pl, 0), greatest(0, coalesce(c.max_drawdown, 0)), coalesce(c.financing, 0), coalesce(c.commission, 0),
    coalesce(c.peak, 0)
FROM proposed p FULL JOIN closed c USING (day, pair)
ON CONFLICT (day, pair) DO UPDATE SET signals = excluded.signals, trades = excluded.trades, wins = excluded.wins,
    gross_pl = excluded.gross_pl, net_pl = excluded.net_pl, max_drawdown = excluded.max_drawdown,
    financing = excluded.financing, commission = excluded.commission, peak = excluded.peak, updated_at = now();

CREATE VIEW v_daily_performance AS
SELECT day, pair, signals, trades, wins, CASE WHEN trades > 0 THEN round(wins::numeric / trades, 4) END AS win_rate,
    gross_pl, net_pl, max_drawdown, financing, commission, conversion
FROM performance_metrics;
COMMENT ON VIEW v_daily_performance IS 'Per broker day (17:00 New York) and pair: signals, closed trades, wins, P&L, its parts and drawdown.';

CREATE FUNCTION count_signals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO performance_metrics AS p (day, pair, signals, trades, wins, gross_pl, net_pl, max_drawdown)
    SELECT broker_day(candle_time), pair, count(*), 0, 0, 0, 0, 0 FROM written GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (day, pair) DO UPDATE SET signals = p.signals + excluded.signals, updated_at = now();
    RETURN NULL;
END $$;
CREATE TRIGGER counted AFTER INSERT ON trading_signals REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION count_signals();
CREATE FUNCTION count_close() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO performance_metrics AS p (day, pair, signals, trades, wins, gross_pl, net_pl, max_drawdown, financing,
        commission, conversion, peak)
    VALUES (broker_day(NEW.exit_time), NEW.pair, 0, 1, (NEW.net_pl > 0)::integer, NEW.gross_pl, NEW.net_pl,
        greatest(0, -NEW.net_pl), NEW.financing, NEW.commission, NEW.conversion, greatest(0, NEW.net_pl))
    ON CONFLICT (day, pair) DO UPDATE SET trades = p.trades + 1, wins = p.wins + excluded.wins,
        gross_pl = p.gross_pl + excluded.gross_pl, net_pl = p.net_pl + excluded.net_pl,
        financing = p.financing + excluded.financing, commission = p.commission + excluded.commission,
        conversion = p.conversion + excluded.conversion,
        max_drawdown = greatest(p.max_drawdown, p.peak - (p.net_pl + excluded.net_pl)),
        peak = greatest(p.peak, p.net_pl + excluded.net_pl), updated_at = now();
    RETURN NULL;
END $$;
CREATE TRIGGER counted AFTER UPDATE OF status ON trade_executions FOR EACH ROW
    WHEN (OLD.status <> 'CLOSED' AND NEW.status = 'CLOSED') EXECUTE FUNCTION count_close();

ALTER TABLE broker_transactions ADD COLUMN booked_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN broker_transactions.booked_at IS 'When the trader booked it, by this server''s clock.';

-- The tables of the house. Money and prices are numeric, times are timestamptz (UTC), candles are float8.

CREATE TABLE granularities (
    code smallint PRIMARY KEY,
    name text NOT NULL UNIQUE,
    seconds integer NOT NULL CHECK (seconds > 0)
);
COMMENT ON TABLE granularities IS 'Candle lengths, named as OANDA names them. W and M have nominal lengths.';
COMMENT ON COLUMN granularities.code IS 'The integer that stands for it in the key of market_candles.';
COMMENT ON COLUMN granularities.name IS 'S5 ... M1 ... H1 ... D, W, M.';
COMMENT ON COLUMN granularities.seconds IS 'Nominal length in seconds.';
INSERT INTO granularities (code, name, seconds) VALUES
    (1, 'S5', 5), (2, 'S10', 10), (3, 'S15', 15), (4, 'S30', 30), (5, 'M1', 60), (6, 'M2', 120), (7, 'M4', 240),
    (8, 'M5', 300), (9, 'M10', 600), (10, 'M15', 900), (11, 'M30', 1800), (12, 'H1', 3600), (13, 'H2', 7200),
    (14, 'H3', 10800), (15, 'H4', 14400), (16, 'H6', 21600), (17, 'H8', 28800), (18, 'H12', 43200), (19, 'D', 86400),
    (20, 'W', 604800), (21, 'M', 2592000);

CREATE TABLE instruments (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    pip_location smallint NOT NULL,
    display_precision smallint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE instruments IS 'Currency pairs that this database has ever seen.';
COMMENT ON COLUMN instruments.id IS 'The integer that stands for it in the key of market_candles.';
COMMENT ON COLUMN instruments.name IS 'Base and quote currency, as in EUR_USD.';
COMMENT ON COLUMN instruments.pip_location IS 'Power of ten of a pip: -4 is 0.0001.';
COMMENT ON COLUMN instruments.display_precision IS 'Decimals of a price.';
COMMENT ON COLUMN instruments.updated_at IS 'When the terms were last written.';

-- Eight-byte columns first and a 16-byte key: the narrowest row and the fullest index pages. No foreign keys here:
-- they would be checked for every candle, and only the loader writes.
CREATE TABLE market_candles (
    time timestamptz NOT NULL,
    open float8 NOT NULL,
    high float8 NOT NULL,
    low float8 NOT NULL,
    close float8 NOT NULL,
    spread float8 NOT NULL,
    volume integer NOT NULL,
    instrument_id smallint NOT NULL,
    granularity smallint NOT NULL,
    PRIMARY KEY (instrument_id, granularity, time)
);
COMMENT ON TABLE market_candles IS 'Complete candles as the broker or a file gave them; nothing is ever invented. Names: see v_candles.';
COMMENT ON COLUMN market_candles.time IS 'Start of the candle, UTC.';
COMMENT ON COLUMN market_candles.open IS 'Mid open.';
COMMENT ON COLUMN market_candles.high IS 'Mid high.';
COMMENT ON COLUMN market_candles.low IS 'Mid low.';
COMMENT ON COLUMN market_candles.close IS 'Mid close.';
COMMENT ON COLUMN market_candles.spread IS 'Ask close minus bid close, in price units.';
COMMENT ON COLUMN market_candles.volume IS 'Number of prices in the candle; 0 where it was not recorded.';
COMMENT ON COLUMN market_candles.instrument_id IS 'instruments.id';
COMMENT ON COLUMN market_candles.granularity IS 'granularities.code';

CREATE VIEW v_candles AS
SELECT i.name AS instrument, g.name AS granularity, c.time, c.open, c.high, c.low, c.close, c.spread, c.volume
FROM market_candles c
JOIN instruments i ON i.id = c.instrument_id
JOIN granularities g ON g.code = c.granularity;
COMMENT ON VIEW v_candles IS 'market_candles with names, for people.';

CREATE TABLE system_logs (
    time timestamptz NOT NULL DEFAULT now(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    broker_time timestamptz,
    level text NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error', 'critical')),
    component text NOT NULL,
    event text NOT NULL,
    message text NOT NULL DEFAULT '',
    context jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (time, id)
);
COMMENT ON TABLE system_logs IS 'Every step of every component, newest kept for the retention time.';
COMMENT ON COLUMN system_logs.time IS 'When it was written, by this machine''s clock.';
COMMENT ON COLUMN system_logs.id IS 'Order within one instant.';
COMMENT ON COLUMN system_logs.broker_time IS 'The broker''s time when it happened, where one is known.';
COMMENT ON COLUMN system_logs.level IS 'debug, info, warning, error or critical.';
COMMENT ON COLUMN system_logs.component IS 'trader, signals, research, history, api, ops.';
COMMENT ON COLUMN system_logs.event IS 'What happened, as a code: order_intent, order_filled, ...';
COMMENT ON COLUMN system_logs.message IS 'The same for people.';
COMMENT ON COLUMN system_logs.context IS 'Ids and figures that belong to it.';

CREATE TABLE research_runs (
    id uuid PRIMARY KEY,
    pair text NOT NULL,
    granularity text NOT NULL,
    first_candle timestamptz NOT NULL,
    last_candle timestamptz NOT NULL,
    candles bigint NOT NULL,
    data_hash text NOT NULL,
    code_version text NOT NULL,
    settings jsonb NOT NULL,
    seed bigint NOT NULL,
    trials integer NOT NULL CHECK (trials > 0),
    verdict text NOT NULL CHECK (verdict IN ('READY', 'NOT_READY')),
    reason text NOT NULL,
    evidence jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX research_runs_pair ON research_runs (pair, created_at);
COMMENT ON TABLE research_runs IS 'The ledger of trials: every training run with what it was given and what it found. A rerun is a trial too.';
COMMENT ON COLUMN research_runs.id IS 'Identity of the run.';
COMMENT ON COLUMN research_runs.pair IS 'Instrument, as in EUR_USD.';
COMMENT ON COLUMN research_runs.granularity IS 'Candle length analysed.';
COMMENT ON COLUMN research_runs.first_candle IS 'Start of the first candle used.';
COMMENT ON COLUMN research_runs.last_candle IS 'Start of the last candle used.';
COMMENT ON COLUMN research_runs.candles IS 'Number of candles used.';
COMMENT ON COLUMN research_runs.data_hash IS 'SHA-256 of the candle columns: the same data gives the same hash.';
COMMENT ON COLUMN research_runs.code_version IS 'Version of this software.';
COMMENT ON COLUMN research_runs.settings IS 'Parameters tried, folds, costs.';
COMMENT ON COLUMN research_runs.seed IS 'Seed of every random draw of the run.';
COMMENT ON COLUMN research_runs.trials IS 'Parameter sets tried.';
COMMENT ON COLUMN research_runs.verdict IS 'READY or NOT_READY.';
COMMENT ON COLUMN research_runs.reason IS 'Why, in words and numbers.';
COMMENT ON COLUMN research_runs.evidence IS 'Out-of-sample figures behind the verdict.';
COMMENT ON COLUMN research_runs.created_at IS 'When the run was recorded.';

CREATE TABLE models (
    id text PRIMARY KEY,
    pair text NOT NULL,
    granularity text NOT NULL,
    run_id uuid NOT NULL REFERENCES research_runs,
    artifact jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE models IS 'Trained models as JSON artifacts; the id is derived from the content.';
COMMENT ON COLUMN models.id IS 'Hash of the artifact.';
COMMENT ON COLUMN models.pair IS 'Instrument it was trained on.';
COMMENT ON COLUMN models.granularity IS 'Candle length it reads.';
COMMENT ON COLUMN models.run_id IS 'The research run that made it.';
COMMENT ON COLUMN models.artifact IS 'Strategy kind and parameters: everything a signal needs.';
COMMENT ON COLUMN models.created_at IS 'When it was stored.';

CREATE TABLE trading_pairs (
    pair text PRIMARY KEY,
    enabled boolean NOT NULL DEFAULT false,
    model_id text REFERENCES models,
    verdict text CHECK (verdict IN ('READY', 'NOT_READY')),
    verdict_reason text,
    judged_at timestamptz,
    override_by text,
    override_reason text,
    enabled_at timestamptz,
    disabled_reason text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (NOT enabled OR (model_id IS NOT NULL AND (verdict = 'READY' OR override_reason IS NOT NULL)))
);
COMMENT ON TABLE trading_pairs IS 'Which pair may trade, with which model, and why.';
COMMENT ON COLUMN trading_pairs.pair IS 'Instrument, as in EUR_USD.';
COMMENT ON COLUMN trading_pairs.enabled IS 'May signals of this pair be executed? Needs a READY verdict or a recorded override.';
COMMENT ON COLUMN trading_pairs.model_id IS 'The model that makes its signals.';
COMMENT ON COLUMN trading_pairs.verdict IS 'Verdict of the newest research run.';
COMMENT ON COLUMN trading_pairs.verdict_reason IS 'The verdict in words and numbers.';
COMMENT ON COLUMN trading_pairs.judged_at IS 'When the verdict was given.';
COMMENT ON COLUMN trading_pairs.override_by IS 'Who enabled a pair that is not READY (practice accounts only).';
COMMENT ON COLUMN trading_pairs.override_reason IS 'Why that person did.';
COMMENT ON COLUMN trading_pairs.enabled_at IS 'When it was last enabled.';
COMMENT ON COLUMN trading_pairs.disabled_reason IS 'Why it was last disabled.';
COMMENT ON COLUMN trading_pairs.updated_at IS 'Last change.';

CREATE TABLE trading_signals (
    id uuid PRIMARY KEY,
    pair text NOT NULL,
    model_id text NOT NULL REFERENCES models,
    granularity text NOT NULL,
    candle_time timestamptz NOT NULL,
    side smallint NOT NULL CHECK (side IN (-1, 1)),
    confidence numeric(5, 4) NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    metrics jsonb NOT NULL,
    stop_distance numeric NOT NULL CHECK (stop_distance > 0),
    target_distance numeric CHECK (target_distance > 0),
    horizon interval NOT NULL,
    expires_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'NEW' CHECK (status IN ('NEW', 'EXECUTED', 'REFUSED', 'EXPIRED')),
    reason_code text,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    UNIQUE (model_id, pair, candle_time),
    CHECK ((status = 'NEW') = (reason_code IS NULL))
);
CREATE INDEX trading_signals_new ON trading_signals (candle_time) WHERE status = 'NEW';
CREATE INDEX trading_signals_recent ON trading_signals (candle_time DESC);
COMMENT ON TABLE trading_signals IS 'Proposals to trade. Each ends EXECUTED, REFUSED or EXPIRED, with a reason code.';
COMMENT ON COLUMN trading_signals.id IS 'Derived from model, pair and candle time: generating twice gives one row.';
COMMENT ON COLUMN trading_signals.pair IS 'Instrument, as in EUR_USD.';
COMMENT ON COLUMN trading_signals.model_id IS 'The model that proposed it.';
COMMENT ON COLUMN trading_signals.granularity IS 'Candle length it was read from.';
COMMENT ON COLUMN trading_signals.candle_time IS 'Start of the newest candle it knew.';
COMMENT ON COLUMN trading_signals.side IS '1 buys, -1 sells.';
COMMENT ON COLUMN trading_signals.confidence IS '0 to 1; for the rule strategy the strength of the damped trend.';
COMMENT ON COLUMN trading_signals.metrics IS 'QFH metrics at that candle.';
COMMENT ON COLUMN trading_signals.stop_distance IS 'Stop loss distance from the quote that the order is sent on, price units.';
COMMENT ON COLUMN trading_signals.target_distance IS 'Take profit distance from that quote, price units; null for none.';
COMMENT ON COLUMN trading_signals.horizon IS 'The trade is closed this long after its fill at the latest, in broker time.';
COMMENT ON COLUMN trading_signals.expires_at IS 'Not to be executed after this broker time.';
COMMENT ON COLUMN trading_signals.status IS 'NEW, EXECUTED, REFUSED or EXPIRED.';
COMMENT ON COLUMN trading_signals.reason_code IS 'FILLED, or why it was refused or expired.';
COMMENT ON COLUMN trading_signals.reason IS 'The same with its figures.';
COMMENT ON COLUMN trading_signals.created_at IS 'When it was written.';
COMMENT ON COLUMN trading_signals.decided_at IS 'When the trader decided it (broker time).';

CREATE TABLE trade_executions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    signal_id uuid NOT NULL UNIQUE REFERENCES trading_signals,
    account_id text NOT NULL,
    pair text NOT NULL,
    client_id text NOT NULL UNIQUE,
    status text NOT NULL CHECK (status IN ('INTENT', 'OPEN', 'CLOSED', 'REJECTED', 'UNKNOWN')),
    units numeric NOT NULL CHECK (units <> 0),
    open_units numeric NOT NULL DEFAULT 0,
    intent_time timestamptz NOT NULL,
    intent_transaction_id bigint NOT NULL,
    expected_price numeric NOT NULL,
    stop_price numeric,
    target_price numeric,
    order_id bigint,
    trade_id bigint,
    entry_time timestamptz,
    entry_price numeric,
    horizon_at timestamptz,
    exit_time timestamptz,
    exit_price numeric,
    exit_reason text,
    gross_pl numeric(20, 4) NOT NULL DEFAULT 0,
    financing numeric(20, 4) NOT NULL DEFAULT 0,
    commission numeric(20, 4) NOT NULL DEFAULT 0,
    net_pl numeric(20, 4) GENERATED ALWAYS AS (gross_pl + financing - commission) STORED,
    half_spread_cost numeric(20, 4) NOT NULL DEFAULT 0,
    reason text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (status NOT IN ('OPEN', 'CLOSED') OR (trade_id IS NOT NULL AND entry_price IS NOT NULL)),
    CHECK ((status = 'CLOSED') = (exit_time IS NOT NULL)),
    UNIQUE (account_id, trade_id)
);
CREATE INDEX trade_executions_open ON trade_executions (pair) WHERE status IN ('INTENT', 'OPEN', 'UNKNOWN');
CREATE INDEX trade_executions_exit ON trade_executions (exit_time) WHERE status = 'CLOSED';
COMMENT ON TABLE trade_executions IS 'One row an order: written as an intent before it is sent, then filled in from the broker''s transactions.';
COMMENT ON COLUMN trade_executions.id IS 'Order of intent.';
COMMENT ON COLUMN trade_executions.signal_id IS 'The signal it executes; one order a signal.';
COMMENT ON COLUMN trade_executions.account_id IS 'The broker account.';
COMMENT ON COLUMN trade_executions.pair IS 'Instrument, as in EUR_USD.';
COMMENT ON COLUMN trade_executions.client_id IS 'Our id on the order and the trade: how a lost answer is found again.';
COMMENT ON COLUMN trade_executions.status IS 'INTENT (written, may be sent), OPEN, CLOSED, REJECTED (nothing was opened), UNKNOWN (being looked for).';
COMMENT ON COLUMN trade_executions.units IS 'Signed size; positive buys.';
COMMENT ON COLUMN trade_executions.open_units IS 'Signed size still open at the broker: less than units after a partial close, 0 when closed.';
COMMENT ON COLUMN trade_executions.intent_time IS 'Broker time of the intent.';
COMMENT ON COLUMN trade_executions.intent_transaction_id IS 'The account''s last transaction before the order was sent: a search starts behind it.';
COMMENT ON COLUMN trade_executions.expected_price IS 'The ask (buy) or bid (sell) that the decision saw.';
COMMENT ON COLUMN trade_executions.stop_price IS 'Stop loss sent with the order.';
COMMENT ON COLUMN trade_executions.target_price IS 'Take profit sent with the order.';
COMMENT ON COLUMN trade_executions.order_id IS 'The broker''s order id.';
COMMENT ON COLUMN trade_executions.trade_id IS 'The broker''s trade id.';
COMMENT ON COLUMN trade_executions.entry_time IS 'Broker time of the fill.';
COMMENT ON COLUMN trade_executions.entry_price IS 'Price of the fill.';
COMMENT ON COLUMN trade_executions.horizon_at IS 'Broker time at which the trade is closed at the latest.';
COMMENT ON COLUMN trade_executions.exit_time IS 'Broker time of the closing fill.';
COMMENT ON COLUMN trade_executions.exit_price IS 'Price of the closing fill.';
COMMENT ON COLUMN trade_executions.exit_reason IS 'STOP_LOSS, TAKE_PROFIT, HORIZON, MANUAL, MARGIN_CLOSEOUT.';
COMMENT ON COLUMN trade_executions.gross_pl IS 'Realised profit or loss of price, account currency.';
COMMENT ON COLUMN trade_executions.financing IS 'Overnight financing, account currency; negative is a charge.';
COMMENT ON COLUMN trade_executions.commission IS 'Commission, account currency; positive is a charge.';
COMMENT ON COLUMN trade_executions.net_pl IS 'gross_pl + financing - commission.';
COMMENT ON COLUMN trade_executions.half_spread_cost IS 'What the spread cost, as the broker states it; contained in gross_pl.';
COMMENT ON COLUMN trade_executions.reason IS 'Why it was rejected or is unknown.';
COMMENT ON COLUMN trade_executions.updated_at IS 'Last change.';

CREATE TABLE broker_transactions (
    account_id text NOT NULL,
    id bigint NOT NULL,
    time timestamptz NOT NULL,
    type text NOT NULL,
    amount numeric(20, 4) NOT NULL DEFAULT 0,
    is_profit boolean NOT NULL DEFAULT true,
    balance numeric(20, 4),
    raw jsonb NOT NULL,
    PRIMARY KEY (account_id, id)
);
COMMENT ON TABLE broker_transactions IS 'The broker''s own record of the account, copied without gaps: what the ledger is computed from.';
COMMENT ON COLUMN broker_transactions.account_id IS 'The broker account.';
COMMENT ON COLUMN broker_transactions.id IS 'The broker''s transaction id; consecutive per account.';
COMMENT ON COLUMN broker_transactions.time IS 'Broker time.';
COMMENT ON COLUMN broker_transactions.type IS 'ORDER_FILL, DAILY_FINANCING, ...';
COMMENT ON COLUMN broker_transactions.amount IS 'What it added to the balance, account currency.';
COMMENT ON COLUMN broker_transactions.is_profit IS 'False for deposits and withdrawals.';
COMMENT ON COLUMN broker_transactions.balance IS 'Balance after it, as the broker states it; null where it states none.';
COMMENT ON COLUMN broker_transactions.raw IS 'The broker''s JSON.';

CREATE TABLE ledger_accounts (
    account_id text PRIMARY KEY,
    environment text NOT NULL CHECK (environment IN ('practice', 'live', 'custom')),
    currency text NOT NULL,
    opening_balance numeric(20, 4) NOT NULL,
    opening_transaction_id bigint NOT NULL,
    last_transaction_id bigint NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ledger_accounts IS 'Where the ledger of each broker account begins and how far it has read.';
COMMENT ON COLUMN ledger_accounts.account_id IS 'The broker account.';
COMMENT ON COLUMN ledger_accounts.environment IS 'practice, live or custom (a simulated exchange).';
COMMENT ON COLUMN ledger_accounts.currency IS 'Account currency.';
COMMENT ON COLUMN ledger_accounts.opening_balance IS 'Balance when the ledger began.';
COMMENT ON COLUMN ledger_accounts.opening_transaction_id IS 'The last transaction before the ledger began.';
COMMENT ON COLUMN ledger_accounts.last_transaction_id IS 'The last transaction that was read and applied.';
COMMENT ON COLUMN ledger_accounts.first_seen IS 'When the ledger began.';

CREATE TABLE performance_metrics (
    day date NOT NULL,
    pair text NOT NULL,
    signals integer NOT NULL,
    trades integer NOT NULL,
    wins integer NOT NULL,
    gross_pl numeric(20, 4) NOT NULL,
    net_pl numeric(20, 4) NOT NULL,
    max_drawdown numeric(20, 4) NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, pair)
);
COMMENT ON TABLE performance_metrics IS 'Daily figures per pair, written by the trader as trades close; they outlive the rows they were computed from.';
COMMENT ON COLUMN performance_metrics.day IS 'UTC day, broker time.';
COMMENT ON COLUMN performance_metrics.pair IS 'Instrument, as in EUR_USD.';
COMMENT ON COLUMN performance_metrics.signals IS 'Signals whose candle began that day.';
COMMENT ON COLUMN performance_metrics.trades IS 'Trades closed that day.';
COMMENT ON COLUMN performance_metrics.wins IS 'Of these, with a positive net P&L.';
COMMENT ON COLUMN performance_metrics.gross_pl IS 'Before financing and commission, account currency.';
COMMENT ON COLUMN performance_metrics.net_pl IS 'After financing and commission, account currency.';
COMMENT ON COLUMN performance_metrics.max_drawdown IS 'Deepest fall of the day''s running net P&L below its own peak (start of day included); 0 or more.';
COMMENT ON COLUMN performance_metrics.updated_at IS 'Last change.';

CREATE TABLE system_config (
    key text PRIMARY KEY,
    value jsonb NOT NULL,
    updated_by text NOT NULL DEFAULT current_user,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE system_config IS 'Settings that belong to the database rather than to a machine.';
COMMENT ON COLUMN system_config.key IS 'Name of the setting.';
COMMENT ON COLUMN system_config.value IS 'Its value.';
COMMENT ON COLUMN system_config.updated_by IS 'Who changed it.';
COMMENT ON COLUMN system_config.updated_at IS 'When.';

CREATE TABLE trading_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    state text NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
    reason text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO trading_state (state, reason, changed_by) VALUES ('HALTED', 'nobody has turned trading on yet', 'installation');
COMMENT ON TABLE trading_state IS 'The switch. ACTIVE trades, REDUCING only closes, HALTED sends no order at all (stops and targets rest at the broker). Only a person sets it to ACTIVE.';
COMMENT ON COLUMN trading_state.singleton IS 'There is one row.';
COMMENT ON COLUMN trading_state.state IS 'ACTIVE, REDUCING or HALTED.';
COMMENT ON COLUMN trading_state.reason IS 'Why it is so.';
COMMENT ON COLUMN trading_state.changed_by IS 'The person or the protection that set it.';
COMMENT ON COLUMN trading_state.changed_at IS 'When.';

CREATE TABLE component_status (
    component text PRIMARY KEY,
    updated_at timestamptz NOT NULL DEFAULT now(),
    broker_time timestamptz,
    state text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE component_status IS 'The last sign of life of each running component.';
COMMENT ON COLUMN component_status.component IS 'trader, signals.';
COMMENT ON COLUMN component_status.updated_at IS 'When it last wrote, by this machine''s clock.';
COMMENT ON COLUMN component_status.broker_time IS 'The broker''s time it last heard.';
COMMENT ON COLUMN component_status.state IS 'starting, running, stopped or failed.';
COMMENT ON COLUMN component_status.details IS 'Stream age, account, counts.';

CREATE VIEW v_open_trades AS
SELECT e.id, e.pair, CASE WHEN e.units > 0 THEN 'BUY' ELSE 'SELL' END AS side, e.units, e.status, e.entry_time, e.entry_price,
    e.stop_price, e.target_price, e.horizon_at, e.trade_id, e.account_id, e.signal_id, s.confidence
FROM trade_executions e
JOIN trading_signals s ON s.id = e.signal_id
WHERE e.status IN ('INTENT', 'OPEN', 'UNKNOWN');
COMMENT ON VIEW v_open_trades IS 'Orders that have, or may have, a trade open at the broker.';

CREATE VIEW v_active_pairs AS
SELECT p.pair, p.verdict, p.verdict_reason, p.model_id, m.granularity, p.override_by, p.override_reason, p.enabled_at
FROM trading_pairs p
JOIN models m ON m.id = p.model_id
WHERE p.enabled;
COMMENT ON VIEW v_active_pairs IS 'Pairs that may trade, and by which right.';

CREATE VIEW v_recent_signals AS
SELECT s.candle_time, s.pair, CASE WHEN s.side > 0 THEN 'BUY' ELSE 'SELL' END AS side, s.confidence, s.status, s.reason_code,
    s.reason, s.stop_distance, s.target_distance, s.expires_at, s.granularity, s.model_id, s.id
FROM trading_signals s
ORDER BY s.candle_time DESC, s.pair;
COMMENT ON VIEW v_recent_signals IS 'Signals, newest first, with what became of them.';

CREATE VIEW v_daily_performance AS
WITH days AS (
    SELECT (candle_time AT TIME ZONE 'UTC')::date AS day, pair, count(*) AS signals
    FROM trading_signals GROUP BY 1, 2
), running AS (
    SELECT (exit_time AT TIME ZONE 'UTC')::date AS day, pair, gross_pl, net_pl,
        sum(net_pl) OVER (PARTITION BY (exit_time AT TIME ZONE 'UTC')::date, pair ORDER BY exit_time, id) AS so_far, exit_time, id
    FROM trade_executions WHERE status = 'CLOSED'
), peaks AS (
    SELECT day, pair, gross_pl, net_pl,
        greatest(0, max(so_far) OVER (PARTITION BY day, pair ORDER BY exit_time, id)) - so_far AS below_peak
    FROM running
), closed AS (
    SELECT day, pair, count(*) AS trades, count(*) FILTER (WHERE net_pl > 0) AS wins, sum(gross_pl) AS gross_pl,
        sum(net_pl) AS net_pl, max(below_peak) AS max_drawdown
    FROM peaks GROUP BY day, pair
)
SELECT day, pair, coalesce(d.signals, 0) AS signals, coalesce(c.trades, 0) AS trades, coalesce(c.wins, 0) AS wins,
    CASE WHEN c.trades > 0 THEN round(c.wins::numeric / c.trades, 4) END AS win_rate,
    coalesce(c.gross_pl, 0)::numeric(20, 4) AS gross_pl, coalesce(c.net_pl, 0)::numeric(20, 4) AS net_pl,
    coalesce(c.max_drawdown, 0)::numeric(20, 4) AS max_drawdown
FROM days d FULL JOIN closed c USING (day, pair);
COMMENT ON VIEW v_daily_performance IS 'Per UTC day (broker time) and pair: signals, closed trades, wins, P&L and drawdown.';

CREATE VIEW v_database_info AS
SELECT current_database() AS database, version() AS server, pg_database_size(current_database()) AS size_bytes,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb,
    (SELECT max(version) FROM schema_migrations) AS schema_version,
    pg_postmaster_start_time() AS started_at;
COMMENT ON VIEW v_database_info IS 'What this database is: server, extension, schema version, size.';

CREATE FUNCTION notify_new_signal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('trading_signals', NEW.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER trading_signals_notify AFTER INSERT ON trading_signals FOR EACH ROW EXECUTE FUNCTION notify_new_signal();

-- name: books :one
-- Everything that a pass of the trader asks of the database, in one statement. Lists are JSON texts.
SELECT t.state, t.reason, t.changed_by, t.changed_at,
    (SELECT value #>> '{}' FROM system_config WHERE key = 'database_id') AS database_id,
    (SELECT json_build_object('last_transaction_id', l.last_transaction_id, 'balance', l.balance)::text
        FROM ledger_accounts l WHERE l.account_id = :account_id) AS ledger,
    (SELECT json_build_object('created_time', b.created_time, 'nav_high', b.nav_high, 'day', b.day, 'day_nav', b.day_nav,
        'week', b.week, 'week_nav', b.week_nav)::text FROM broker_accounts b WHERE b.account_id = :account_id) AS seen,
    (SELECT coalesce(json_agg(to_json(e) ORDER BY e.id), '[]')::text FROM (
        SELECT x.id, x.signal_id, x.account_id, x.pair, x.client_id, x.status, x.units, x.open_units, x.intent_time,
            x.intent_transaction_id, x.expected_price, coalesce(x.stop_distance, s.stop_distance) AS stop_distance,
            coalesce(x.target_distance, s.target_distance) AS target_distance, x.deadline, x.trade_id, x.entry_price,
            x.horizon_at, x.late, x.closing_order_id, x.closing_cause,
            extract(epoch FROM least(s.horizon, interval '100 years')) AS horizon, s.candle_time, s.granularity, s.model_id
        FROM trade_executions x JOIN trading_signals s ON s.id = x.signal_id
        WHERE x.account_id = :account_id AND x.status IN ('INTENT', 'UNKNOWN', 'OPEN')) e) AS executions,
    (SELECT coalesce(json_agg(to_json(n) ORDER BY n.candle_time, n.pair), '[]')::text FROM (
        SELECT s.id, s.pair, s.model_id, s.granularity, s.candle_time, s.side, s.confidence, s.stop_distance,
            s.target_distance, extract(epoch FROM least(s.horizon, interval '100 years')) AS horizon, s.expires_at,
            s.origin, s.kind, s.max_units, EXISTS (SELECT FROM broker_transactions b WHERE b.account_id = :account_id
                AND b.client_id = 'sep-' || replace(s.id::text, '-', '')) AS ordered
        FROM trading_signals s
        WHERE s.status = 'NEW' AND NOT EXISTS (SELECT FROM trade_executions e WHERE e.signal_id = s.id)
        ORDER BY s.candle_time, s.pair LIMIT 500) n) AS signals,
    (SELECT coalesce(json_object_agg(p.pair, json_build_object('enabled', p.enabled, 'model_id', p.model_id,
            'verdict', p.verdict, 'override_reason', p.override_reason,
            'spread', coalesce(m.artifact->'costs'->'spread'->>'source', 'unknown'),
            'evidence_until', p.account->>'candles_until',
            'proven_live', coalesce(number_in(p.account, 'e_forward') >= number_in(p.account, 'threshold'), false))),
            '{}')::text
        FROM trading_pairs p LEFT JOIN models m ON m.id = p.model_id) AS rights,
    -- Only an exit after a new signal's candle matters to it: the newest ones are enough, however long the history is.
    (SELECT coalesce(json_object_agg(x.pair, x.exit_time), '{}')::text FROM (
        SELECT pair, max(exit_time) AS exit_time FROM (SELECT pair, exit_time FROM trade_executions
            WHERE account_id = :account_id AND status = 'CLOSED' ORDER BY exit_time DESC LIMIT 200) newest
        GROUP BY pair) x) AS last_exits,
    (SELECT coalesce(json_agg(json_build_object('id', r.id, 'kind', r.kind, 'pair', r.pair, 'trade_id', r.trade_id,
            'everything', r.everything, 'requested_by', r.requested_by, 'reason', r.reason, 'setting', r.setting,
            'value', r.value::text) ORDER BY r.id), '[]')::text
        FROM trading_requests r WHERE r.status = 'NEW' AND r.account_id = :account_id) AS requests,
    (SELECT coalesce(json_object_agg(o.name, o.value::text), '{}')::text FROM limit_overrides o) AS overrides,
    (SELECT coalesce(json_agg(DISTINCT account_id), '[]')::text FROM trade_executions
        WHERE status IN ('INTENT', 'UNKNOWN', 'OPEN') AND account_id <> :account_id) AS elsewhere,
    (SELECT count(*) FROM trade_executions WHERE account_id = :account_id
        AND intent_time > :now::timestamptz - interval '1 minute') AS orders_last_minute,
    (SELECT count(*) FROM trade_executions WHERE account_id = :account_id AND status = 'GIVEN_UP'
        AND intent_time > :now::timestamptz - interval '1 hour') AS unknown_lately,
    (SELECT json_build_object('lost', coalesce(min(n) FILTER (WHERE net_pl >= 0) - 1, count(*)),
            'at', max(exit_time))::text
        FROM (SELECT net_pl, exit_time, row_number() OVER (ORDER BY exit_time DESC, id DESC) AS n FROM trade_executions
            WHERE account_id = :account_id AND status = 'CLOSED' ORDER BY exit_time DESC, id DESC LIMIT 50) newest) AS streak,
    :lock_pid::integer IS NULL OR EXISTS (SELECT FROM pg_locks k WHERE k.locktype = 'advisory' AND k.granted
        AND k.pid = :lock_pid AND ((k.classid::bigint << 32) | k.objid::bigint) = :lock_key::bigint) AS lock_held
FROM trading_state t;

-- name: see_account :execute
-- Keep what the broker shows of an account, and the marks that its losses are measured from.
INSERT INTO broker_accounts (account_id, created_time, seen_at, broker_time, transaction_id, balance, nav, margin_used,
    margin_available, nav_high, day, day_nav, week, week_nav, trades)
VALUES (:account_id, :created_time, now(), :broker_time, :transaction_id, :balance, :nav, :margin_used, :margin_available,
    :nav_high, :day, :day_nav, :week, :week_nav, :trades)
ON CONFLICT (account_id) DO UPDATE SET created_time = coalesce(broker_accounts.created_time, excluded.created_time),
    seen_at = now(), broker_time = excluded.broker_time, transaction_id = excluded.transaction_id,
    balance = excluded.balance, nav = excluded.nav, margin_used = excluded.margin_used,
    margin_available = excluded.margin_available,
    nav_high = greatest(broker_accounts.nav_high, excluded.nav_high), day = excluded.day, day_nav = excluded.day_nav, week = excluded.week, week_nav = excluded.week_nav,
    trades = excluded.trades;

-- name: keep_equity :execute
-- Keep what an account is worth in this minute; the minute's first look stays.
INSERT INTO account_equity (account_id, time, balance, nav, margin_used, open_trades)
VALUES (:account_id, date_trunc('minute', now()), :balance, :nav, :margin_used, :open_trades)
ON CONFLICT (account_id, time) DO NOTHING;

-- name: thin_equity :execute
-- Leave one row an hour of what is older than a time, and one a day of what is older than another.
DELETE FROM account_equity e WHERE e.time < :hourly_before AND EXISTS (SELECT FROM account_equity o
    WHERE o.account_id = e.account_id AND o.time < e.time AND o.time >= date_trunc(
        CASE WHEN e.time < :daily_before::timestamptz THEN 'day' ELSE 'hour' END, e.time, 'UTC'));

-- name: equity :many
-- What an account was worth, oldest first: the first row of each step of so many seconds.
SELECT DISTINCT ON (account_id, floor(extract(epoch FROM time) / :step_s)) account_id, time, balance, nav, margin_used, open_trades
FROM account_equity WHERE time >= :since AND time < :until
ORDER BY account_id, floor(extract(epoch FROM time) / :step_s), time;

-- name: move_marks :execute
-- Money was paid in or out: what losses are measured from moves with it.
UPDATE broker_accounts SET nav_high = nav_high + :amount, day_nav = day_nav + :amount, week_nav = week_nav + :amount
WHERE account_id = :account_id;

-- name: new_request :value
-- Ask the trader to close trades.
INSERT INTO trading_requests (kind, account_id, pair, trade_id, everything, requested_by, reason, setting, value)
VALUES (:kind, :account_id, :pair, :trade_id, :everything, :requested_by, :reason, :setting, :value) RETURNING id;

-- name: answer_request :execute
-- End a request.
UPDATE trading_requests SET status = :status, answered_at = now(), answer = :answer WHERE id = :id AND status = 'NEW';

-- name: request :one
-- What became of a request.
SELECT status, answer FROM trading_requests WHERE id = :id;

-- name: persons_trades :many
-- Open trades of the account that are not ours, as the trader saw them in its last pass.
SELECT trade_id, pair, side, units, price, open_time, stop_price, target_price, unrealized_pl, owner, age_s
FROM v_persons_trades ORDER BY trade_id;

-- name: database_id :value
-- What this database is called on the trades that it opens.
SELECT value #>> '{}' FROM system_config WHERE key = 'database_id';

-- name: ledger_accounts :many
-- The accounts that were booked.
SELECT account_id, environment, currency, opening_balance, balance, last_transaction_id, first_seen
FROM ledger_accounts ORDER BY account_id;

-- name: trades_for_taxes :many
-- Every closed trade with its parts, oldest first; of one UTC year where given.
SELECT e.trade_id, e.account_id, l.currency, e.pair, CASE WHEN e.units > 0 THEN 'BUY' ELSE 'SELL' END AS side,
    abs(e.units) AS units, e.entry_time, e.entry_price, e.exit_time, e.exit_price, e.exit_reason, e.gross_pl, e.financing,
    e.commission, e.conversion, e.net_pl, broker_day(e.exit_time) AS broker_day
FROM trade_executions e LEFT JOIN ledger_accounts l ON l.account_id = e.account_id
WHERE e.status = 'CLOSED' AND (:year::integer IS NULL OR extract(year FROM e.exit_time AT TIME ZONE 'UTC') = :year)
ORDER BY e.exit_time, e.id;

-- name: insert_hand_signal :execute
-- A signal that a person makes: a probe of the path, or a trade taken over.
INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance,
    target_distance, horizon, expires_at, origin, max_units, status, reason_code, reason, decided_at)
VALUES (:id, :pair, NULL, :granularity, :candle_time, :side, 1, :metrics, :stop_distance, NULL, :horizon, :expires_at,
    :origin, :max_units, :status, :reason_code, :reason, :decided_at);

-- name: insert_adopted :execute
-- The execution of a trade that was taken over: open from the start.
INSERT INTO trade_executions (signal_id, account_id, pair, client_id, status, units, open_units, intent_time,
    intent_transaction_id, expected_price, stop_price, stop_distance, trade_id, entry_time, entry_price, horizon_at)
VALUES (:signal_id, :account_id, :pair, :client_id, 'OPEN', :units, :units, :now, :transaction_id, :price, :stop_price,
    :stop_distance, :trade_id, :entry_time, :price, :horizon_at);

-- name: probe_progress :one
-- How far a probe has come.
SELECT s.status, s.reason_code, s.reason, e.status AS order_status, e.trade_id, e.units, e.expected_price, e.entry_price,
    e.exit_price, e.exit_reason, e.net_pl, v.seen, v.stop_price AS standing_stop
FROM trading_signals s LEFT JOIN trade_executions e ON e.signal_id = s.id LEFT JOIN v_open_trades v ON v.signal_id = s.id
WHERE s.id = :id;

-- name: seen_accounts :many
-- What the broker showed of each account in the trader's last pass: money, margin, results since its day and its week began.
SELECT b.account_id, l.currency, l.environment, b.balance, b.nav, b.nav - b.balance AS open_pl, b.margin_used,
    b.margin_available, b.nav_high, b.nav - b.day_nav AS day_pl, b.nav - b.week_nav AS week_pl, b.seen_at,
    extract(epoch FROM now() - b.seen_at)::float8 AS age_s, jsonb_array_length(b.trades) AS open_trades
FROM broker_accounts b LEFT JOIN ledger_accounts l USING (account_id) ORDER BY b.account_id;

-- name: traded_account :value
-- The account that the trader last reported.
SELECT details ->> 'account' FROM component_status WHERE component = 'trader';

-- name: requests_left :many
-- What people asked to be closed longer ago than some seconds, and nobody has acted on.
SELECT id, kind, pair, trade_id, everything, requested_by, reason FROM trading_requests
WHERE status = 'NEW' AND kind IN ('flatten', 'close') AND account_id = :account_id
    AND requested_at < now() - make_interval(secs => :after_s) ORDER BY id;

-- name: tighten_limit :execute
-- Tighten a limit from afar.
INSERT INTO limit_overrides (name, value, set_by, reason) VALUES (:name, :value, :set_by, :reason)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_by = excluded.set_by, reason = excluded.reason, set_at = now();

-- name: limit_overrides :many
-- Limits that were tightened from afar.
SELECT name, value, set_by, reason, set_at FROM limit_overrides ORDER BY name;

-- Who may do what. Run as a superuser, as often as you like: first with part=roles (any database), then, after the
-- migrations, with part=grants in the database itself. Prints CHANGED when a role was made.
--
--   sep_owner    owns every object; may log in because TimescaleDB's jobs run as it, but pg_hba.conf rejects it
--   sep_migrate  becomes the owner on connecting: migrations, retention
--   sep_trader   reads all, inserts, and updates what changes in the life of a row, column by column; never deletes
--   sep_import   what a bundle brings: signals, models, pairs, candles; reads what it is compared with
--   sep_report   reads the house's tables
--   sep_backup   reads what a dump holds, and the server's statistics; no password hashes
--   sep_watch    reads the house's tables, keeps whom it told what, and may ask the trader (Telegram's /halt)
--   root         a person at the machine who types psql -d sep_trading: reads as sep_report does
--   sep_control  may ask the trader and read the answer: what the web process has besides sep_report
\set ON_ERROR_STOP on
SELECT :'part' = 'roles' AS making_roles \gset
\if :making_roles
SELECT format('CREATE ROLE %I %s', name, how) AS make, 'SELECT ''CHANGED'''
FROM (VALUES
    (1, 'sep_owner', 'LOGIN'), (2, 'sep_migrate', 'LOGIN NOINHERIT'), (3, 'sep_trader', 'LOGIN CONNECTION LIMIT 20'),
    (4, 'sep_report', 'LOGIN CONNECTION LIMIT 10'), (5, 'sep_backup', 'LOGIN CONNECTION LIMIT 5'),
    (6, 'sep_watch', 'LOGIN CONNECTION LIMIT 5'), (7, 'sep_control', 'LOGIN CONNECTION LIMIT 5'),
    (8, 'sep_import', 'LOGIN CONNECTION LIMIT 3'), (9, 'root', 'LOGIN CONNECTION LIMIT 3')
) AS wanted (position, name, how)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) ORDER BY position
\gexec
GRANT sep_owner TO sep_migrate;
GRANT sep_report TO root;
GRANT pg_monitor TO sep_backup;
-- An earlier version gave it every table, those with the password hashes among them.
SELECT 'REVOKE pg_read_all_data FROM sep_backup' WHERE pg_has_role('sep_backup', 'pg_read_all_data', 'MEMBER')
\gexec
GRANT pg_read_all_stats TO sep_watch;
-- A statement that a person forgot, or a reader that hangs, must not hold up the trader.
ALTER ROLE sep_report SET default_transaction_read_only = on;
ALTER ROLE sep_report SET statement_timeout = '30s';
ALTER ROLE root SET default_transaction_read_only = on;
ALTER ROLE root SET statement_timeout = '60s';
ALTER ROLE root SET temp_file_limit = '256MB';
ALTER ROLE sep_backup SET default_transaction_read_only = on;
ALTER ROLE sep_watch SET statement_timeout = '30s';
ALTER ROLE sep_control SET statement_timeout = '5s';
-- Only a superuser may change these, so they hold whatever a session sets: nobody but the trader fills the volume by a sort.
ALTER ROLE sep_report SET temp_file_limit = '256MB';
ALTER ROLE sep_watch SET temp_file_limit = '256MB';
ALTER ROLE sep_control SET temp_file_limit = '16MB';
ALTER ROLE sep_import SET temp_file_limit = '1GB';
ALTER ROLE sep_import SET lock_timeout = '10s';
ALTER ROLE sep_import SET statement_timeout = '120s';
ALTER ROLE sep_trader SET lock_timeout = '10s';
ALTER ROLE sep_migrate SET role = 'sep_owner';
\else
-- Every part of this holds on a database that an earlier version granted more on: take away first, then give.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO sep_trader, sep_migrate, sep_import;
GRANT CONNECT ON DATABASE :"DBNAME" TO sep_report, sep_backup, sep_watch, sep_control;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO sep_owner;
GRANT USAGE ON SCHEMA public TO sep_trader, sep_report, sep_backup, sep_watch, sep_control, sep_import;

-- Large objects fill the disk past every right on tables, and advisory locks keep the trader or an import away: by default
-- everybody may use both. Nobody needs the first; the second is for who locks.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', p.oid::regprocedure)
FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^(lo_|loread|lowrite|pg_(try_)?advisory_)'
\gexec
SELECT format('GRANT EXECUTE ON FUNCTION %s TO sep_owner, sep_trader%s', p.oid::regprocedure,
    CASE WHEN p.proname ~ '^pg_(try_)?advisory_xact' THEN ', sep_import' ELSE '' END)
FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^pg_(try_)?advisory_'
\gexec

GRANT SELECT ON ALL TABLES IN SCHEMA public TO sep_trader, sep_report, sep_watch, sep_backup, sep_import;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO sep_backup;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM sep_trader;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO sep_trader;
SELECT format('REVOKE INSERT ON %I FROM sep_trader', name)
FROM unnest(ARRAY['schema_migrations', 'granularities']) AS name WHERE to_regclass(name) IS NOT NULL
\gexec
-- What changes in the life of a row. All else is as it was written; logs, transactions, entries, receipts and research wholly.
SELECT format('GRANT UPDATE%s ON %I TO sep_trader', coalesce(' (' || columns || ')', ''), name)
FROM (VALUES
    ('trading_signals', 'status, reason_code, reason, decided_at'),
    ('trade_executions', 'status, late, order_id, trade_id, units, open_units, entry_time, entry_price, stop_price, target_price,
        horizon_at, fill_bid, fill_ask, gross_pl, financing, commission, conversion, half_spread_cost, reason, updated_at, exit_time,
        exit_price, exit_reason, exit_bid, exit_ask, closing_order_id, closing_cause'),
    ('trading_state', 'state, reason, changed_by, changed_at'),
    ('trading_requests', 'status, answered_at, answer'),
    ('trading_pairs', 'enabled, model_id, verdict, verdict_reason, judged_at, override_by, override_reason, enabled_at,
        disabled_reason, updated_at, changed_by, change_reason, reasons, account, decayed_at, latched_at'),
    ('broker_accounts', 'created_time, seen_at, broker_time, transaction_id, balance, nav, margin_used, margin_available, nav_high,
        day, day_nav, week, week_nav, trades'),
    ('ledger_accounts', 'last_transaction_id, balance'),
    ('limit_overrides', 'value, set_by, reason, set_at'),
    ('component_status', 'updated_at, broker_time, state, details'),
    ('live_statements', 'made_at, decisions, decisions_identical, trades, identical, live, backtest, parts, residual, differing'),
    ('instruments', 'financing_long, financing_short, updated_at'),
    ('market_candles', 'open, high, low, close, spread, volume'),
    ('candle_downloads', 'through, updated_at'),
    ('candle_days', 'present'),
    ('bundle_exports', 'manifest_sha256, state_sha256, created_at, expires_at, signal_ids, acknowledged_at'),
    ('api_tokens', 'role, hash, created_at, created_by, revoked_at'),
    ('system_config', 'value, updated_by, updated_at'),
    ('storage_samples', 'bytes'),
    -- Counters that triggers keep.
    ('performance_metrics', NULL), ('candle_days_state', NULL)
) AS wanted (name, columns)
WHERE to_regclass(name) IS NOT NULL
\gexec
-- What a bundle brings, and nothing else: no order, no switch, no limit, no log.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM sep_import;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO sep_import;
REVOKE SELECT ON api_tokens FROM sep_import;
GRANT INSERT ON trading_signals, models, research_runs, trading_pairs, instruments, market_candles, candle_days,
    candle_rollup_due, bundle_receipts TO sep_import;
GRANT UPDATE (enabled, decayed_at, model_id, verdict, verdict_reason, judged_at, override_by, override_reason, enabled_at,
    disabled_reason, changed_by, change_reason, reasons, account, updated_at) ON trading_pairs TO sep_import;
GRANT UPDATE (present) ON candle_days TO sep_import;
-- What triggers write of it: counters, and that a right was changed.
GRANT INSERT, UPDATE ON performance_metrics TO sep_import;
GRANT INSERT ON control_changes TO sep_import;
GRANT UPDATE ON candle_days_state TO sep_import;
-- What asks the trader cannot answer for it: only what a person says is theirs to write.
GRANT INSERT (kind, account_id, pair, trade_id, everything, requested_by, reason, setting, value), SELECT
    ON trading_requests
    TO sep_watch, sep_control;
GRANT SELECT ON component_status TO sep_control;
GRANT INSERT, UPDATE, DELETE ON alert_states, alert_mark TO sep_watch;
GRANT INSERT ON alert_messages TO sep_watch;
-- Tables that a later migration makes: their columns are named above when the deployment comes here.
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public REVOKE UPDATE ON TABLES FROM sep_trader;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO sep_trader;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT SELECT ON TABLES TO sep_report, sep_watch, sep_backup, sep_import;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT SELECT ON SEQUENCES TO sep_backup;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO sep_trader, sep_import;
-- The extension's own tables are part of a dump.
SELECT format('GRANT USAGE ON SCHEMA %1$I TO sep_backup; GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO sep_backup;
    GRANT SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO sep_backup', nspname)
FROM pg_namespace WHERE nspname LIKE '\_timescaledb\_%' OR nspname = 'timescaledb_information'
\gexec
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA %I GRANT SELECT ON TABLES TO sep_backup', nspname)
FROM pg_namespace WHERE nspname = '_timescaledb_internal'
\gexec
-- A reader may lift its own time limit, and a forgotten transaction holds up a migration and the clean-up: who watches ends it.
GRANT sep_report, root TO sep_owner;
GRANT EXECUTE ON FUNCTION number_in(jsonb, text), count_in(jsonb, text), time_in(jsonb, text)
    TO sep_trader, sep_import, sep_report, sep_watch, sep_backup, sep_control;
REVOKE EXECUTE ON FUNCTION end_forgotten_readers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION end_forgotten_readers() TO sep_watch;
\endif

-- Who may do what. Run as a superuser, as often as you like: first with part=roles (any database), then, after the
-- migrations, with part=grants in the database itself. Prints CHANGED when a role was made.
--
--   sep_owner    owns every object; may log in because TimescaleDB's jobs run as it, but pg_hba.conf rejects it
--   sep_migrate  becomes the owner on connecting: migrations, retention
--   sep_trader   reads all, inserts and updates; never deletes; appends to logs, transactions and receipts only
--   sep_report   reads the house's tables
--   sep_backup   reads everything (pg_dump) and the server's statistics
--   sep_watch    reads the house's tables, keeps whom it told what, and may ask the trader (Telegram's /halt)
--   sep_control  may ask the trader and read the answer: what the web process has besides sep_report
\set ON_ERROR_STOP on
SELECT :'part' = 'roles' AS making_roles \gset
\if :making_roles
SELECT format('CREATE ROLE %I %s', name, how) AS make, 'SELECT ''CHANGED'''
FROM (VALUES
    (1, 'sep_owner', 'LOGIN'), (2, 'sep_migrate', 'LOGIN NOINHERIT'), (3, 'sep_trader', 'LOGIN CONNECTION LIMIT 20'),
    (4, 'sep_report', 'LOGIN CONNECTION LIMIT 10'), (5, 'sep_backup', 'LOGIN CONNECTION LIMIT 5'),
    (6, 'sep_watch', 'LOGIN CONNECTION LIMIT 5'), (7, 'sep_control', 'LOGIN CONNECTION LIMIT 5')
) AS wanted (position, name, how)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) ORDER BY position
\gexec
GRANT sep_owner TO sep_migrate;
GRANT pg_read_all_data, pg_monitor TO sep_backup;
GRANT pg_read_all_stats TO sep_watch;
-- A statement that a person forgot, or a reader that hangs, must not hold up the trader.
ALTER ROLE sep_report SET default_transaction_read_only = on;
ALTER ROLE sep_report SET statement_timeout = '30s';
ALTER ROLE sep_backup SET default_transaction_read_only = on;
ALTER ROLE sep_watch SET statement_timeout = '30s';
ALTER ROLE sep_control SET statement_timeout = '5s';
ALTER ROLE sep_trader SET lock_timeout = '10s';
ALTER ROLE sep_migrate SET role = 'sep_owner';
\else
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO sep_trader, sep_migrate;
GRANT CONNECT ON DATABASE :"DBNAME" TO sep_report, sep_backup, sep_watch, sep_control;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO sep_owner;
GRANT USAGE ON SCHEMA public TO sep_trader, sep_report, sep_backup, sep_watch, sep_control;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO sep_trader, sep_report, sep_watch;
GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO sep_trader;
REVOKE DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public FROM sep_trader, sep_report;
-- What happened is never rewritten: these are appended to.
SELECT format('REVOKE UPDATE ON %I FROM sep_trader', name)
FROM unnest(ARRAY['system_logs', 'broker_transactions', 'bundle_receipts', 'control_changes', 'ledger_entries',
    'research_ledger', 'research_runs', 'schema_migrations']) AS name
WHERE to_regclass(name) IS NOT NULL
\gexec
SELECT format('REVOKE INSERT ON %I FROM sep_trader', name)
FROM unnest(ARRAY['schema_migrations', 'granularities']) AS name WHERE to_regclass(name) IS NOT NULL
\gexec
-- What asks the trader cannot answer for it: only what a person says is theirs to write.
GRANT INSERT (kind, account_id, pair, trade_id, everything, requested_by, reason, setting, value), SELECT
    ON trading_requests
    TO sep_watch, sep_control;
GRANT SELECT ON component_status TO sep_control;
GRANT INSERT, UPDATE, DELETE ON alert_states, alert_mark TO sep_watch;
GRANT INSERT ON alert_messages TO sep_watch;
-- Tables that a later migration makes.
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO sep_trader;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT SELECT ON TABLES TO sep_report, sep_watch;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO sep_trader;
\endif

-- Who may do what. Run as a superuser, as often as you like: first with part=roles (any database), then, after the
-- migrations, with part=grants in the database itself. Prints CHANGED when a role was made.
--
--   sep_owner    owns every object; may log in because TimescaleDB's jobs run as it, but pg_hba.conf rejects it
--   sep_migrate  becomes the owner on connecting: migrations, retention
--   sep_trader   reads all, inserts and updates; never deletes; appends to logs, transactions and receipts only
--   sep_report   reads the house's tables
--   sep_backup   reads everything (pg_dump) and the server's statistics
\set ON_ERROR_STOP on
SELECT :'part' = 'roles' AS making_roles \gset
\if :making_roles
SELECT format('CREATE ROLE %I %s', name, how) AS make, 'SELECT ''CHANGED'''
FROM (VALUES
    (1, 'sep_owner', 'LOGIN'), (2, 'sep_migrate', 'LOGIN NOINHERIT'), (3, 'sep_trader', 'LOGIN CONNECTION LIMIT 20'),
    (4, 'sep_report', 'LOGIN CONNECTION LIMIT 10'), (5, 'sep_backup', 'LOGIN CONNECTION LIMIT 5')
) AS wanted (position, name, how)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) ORDER BY position
\gexec
GRANT sep_owner TO sep_migrate;
GRANT pg_read_all_data, pg_monitor TO sep_backup;
-- A statement that a person forgot, or a reader that hangs, must not hold up the trader.
ALTER ROLE sep_report SET default_transaction_read_only = on;
ALTER ROLE sep_report SET statement_timeout = '30s';
ALTER ROLE sep_backup SET default_transaction_read_only = on;
ALTER ROLE sep_trader SET lock_timeout = '10s';
ALTER ROLE sep_migrate SET role = 'sep_owner';
\else
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO sep_trader, sep_migrate;
GRANT CONNECT ON DATABASE :"DBNAME" TO sep_report, sep_backup;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO sep_owner;
GRANT USAGE ON SCHEMA public TO sep_trader, sep_report, sep_backup;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO sep_trader, sep_report;
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
-- Tables that a later migration makes.
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO sep_trader;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT SELECT ON TABLES TO sep_report;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE sep_owner IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO sep_trader;
\endif

-- What happened is not rewritten, and nobody reads for ever: what the broker said, what was booked of it and what was accepted is never rewritten, by the owner neither.
-- Older programs go on: from 0033.

CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON broker_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON bundle_receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A reader may lift its own time limit, and a forgotten transaction holds up a migration and the clean-up: who watches ends
-- it. By its owner's right, who is a member of the reading role on a droplet (roles.sql).
CREATE FUNCTION end_forgotten_readers() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE usename IN ('sep_report', 'root') AND state <> 'idle' AND greatest(now() - query_start, now() - xact_start) > interval '2 minutes'
$$;

-- A document that somebody wrote wrongly is one row's fault, and not that of every query that meets it.
CREATE FUNCTION number_in(document jsonb, key text) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE found float8;
BEGIN
    found := (document->>key)::float8;
    RETURN CASE WHEN found > '-Infinity' AND found < 'Infinity' THEN found END;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $$;
CREATE FUNCTION count_in(document jsonb, key text) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN (document->>key)::integer;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $$;
CREATE FUNCTION time_in(document jsonb, key text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE found timestamptz;
BEGIN
    found := (document->>key)::timestamptz;
    RETURN CASE WHEN isfinite(found) THEN found END;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $$;

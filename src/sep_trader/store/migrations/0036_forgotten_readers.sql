-- A reader may lift its own time limit, and a forgotten transaction holds up a migration and the clean-up: who watches ends
-- it. By its owner's right, who is a member of the reading role on a droplet (roles.sql).
-- Older programs go on: from 0033.

CREATE FUNCTION end_forgotten_readers() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE usename IN ('sep_report', 'root') AND state <> 'idle' AND greatest(now() - query_start, now() - xact_start) > interval '2 minutes'
$$;

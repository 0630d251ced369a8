-- A document that somebody wrote wrongly is one row's fault, and not that of every query that meets it.
-- Older programs go on: from 0033.

CREATE FUNCTION number_in(document jsonb, key text) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE found float8;
BEGIN
    found := (document->>key)::float8;
    RETURN CASE WHEN found > '-Infinity' AND found < 'Infinity' THEN found END;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $$;
CREATE FUNCTION count_in(document jsonb, key text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN (document->>key)::bigint;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $$;
CREATE FUNCTION time_in(document jsonb, key text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE found timestamptz;
BEGIN
    found := (document->>key)::timestamptz;
    RETURN CASE WHEN isfinite(found) THEN found END;
EXCEPTION WHEN data_exception THEN RETURN NULL;
END $$;

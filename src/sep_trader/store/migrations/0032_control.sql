-- What people ask of the trader from afar: the switch and a pair's right, besides closing. Who may ask: tokens.

ALTER TABLE trading_requests DROP CONSTRAINT trading_requests_kind_check,
    ADD CONSTRAINT trading_requests_kind_check
        CHECK (kind IN ('flatten', 'close', 'halt', 'reduce', 'resume', 'enable', 'disable', 'limit')),
    ADD COLUMN setting text, ADD COLUMN value numeric CHECK (value > 0 AND value < 'Infinity' AND value <> 'NaN'),
    ADD CONSTRAINT trading_requests_limit CHECK ((kind = 'limit') = (setting IS NOT NULL AND value IS NOT NULL)),
    ADD CONSTRAINT trading_requests_pair CHECK (kind NOT IN ('enable', 'disable') OR pair IS NOT NULL),
    ADD CONSTRAINT trading_requests_short CHECK (length(requested_by) <= 200 AND length(reason) <= 1000);
COMMENT ON TABLE trading_requests IS 'What people ask of the trader. The next pass takes it up; a close stays NEW until nothing of it is open.';
COMMENT ON COLUMN trading_requests.kind IS 'flatten (all trades, or those of a pair), close (one trade), halt, reduce, resume (the switch), enable, disable (a pair), limit (tighten one).';
COMMENT ON COLUMN trading_requests.setting IS 'The limit to tighten.';
COMMENT ON COLUMN trading_requests.value IS 'What it is to be; the owner''s own value lifts what was tightened before.';

CREATE TABLE limit_overrides (
    name text PRIMARY KEY,
    value numeric NOT NULL CHECK (value > 0 AND value < 'Infinity' AND value <> 'NaN'),
    set_by text NOT NULL,
    reason text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE limit_overrides IS 'Limits that a person tightened from afar; of these and the trader''s own settings the stricter counts.';
COMMENT ON COLUMN limit_overrides.name IS 'The limit, as in the risk settings.';
COMMENT ON COLUMN limit_overrides.value IS 'Its value.';
COMMENT ON COLUMN limit_overrides.set_by IS 'Who tightened it.';
COMMENT ON COLUMN limit_overrides.reason IS 'Why.';
COMMENT ON COLUMN limit_overrides.set_at IS 'When.';

CREATE TABLE api_tokens (
    name text PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    role text NOT NULL CHECK (role IN ('read', 'operate')),
    hash text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    revoked_at timestamptz
);
COMMENT ON TABLE api_tokens IS 'Who may use the API. The token itself is nowhere: only its hash is kept.';
COMMENT ON COLUMN api_tokens.name IS 'Whose it is; it stands in the requests that are made with it.';
COMMENT ON COLUMN api_tokens.role IS 'read, or operate: halt, close and the like as well.';
COMMENT ON COLUMN api_tokens.hash IS 'SHA-256 of the token, which has 256 random bits: a slow hash would add nothing.';
COMMENT ON COLUMN api_tokens.created_at IS 'When it was made.';
COMMENT ON COLUMN api_tokens.created_by IS 'The login name of who made it.';
COMMENT ON COLUMN api_tokens.revoked_at IS 'Since when it is void; null while it holds.';

-- Up to where the watcher has told the log's critical lines: a table of its own, since it may write nothing else of ours.
CREATE TABLE alert_mark (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    until timestamptz NOT NULL
);
COMMENT ON TABLE alert_mark IS 'One row: up to which time critical lines of the log were told.';
COMMENT ON COLUMN alert_mark.one_row IS 'There is one row.';
COMMENT ON COLUMN alert_mark.until IS 'Up to which time they were told.';
INSERT INTO alert_mark (until)
SELECT (value #>> '{}')::timestamptz FROM system_config WHERE key = 'alerts_until';
DELETE FROM system_config WHERE key = 'alerts_until';

ALTER TABLE trade_executions ADD COLUMN created_at timestamptz;
ALTER TABLE trade_executions ALTER COLUMN created_at SET DEFAULT now();
COMMENT ON COLUMN trade_executions.created_at IS 'When the intent was written, by this server''s clock; null in rows older than this column.';

-- Who turned what, when and why: the database itself keeps every change of the switch and of a pair's right to trade,
-- whichever program or person made it. The books carry their running balance and the names of orders.

ALTER TABLE trading_pairs ADD COLUMN changed_by text, ADD COLUMN change_reason text;
COMMENT ON COLUMN trading_pairs.changed_by IS 'Who last changed the right to trade: a person, a program, or training.';
COMMENT ON COLUMN trading_pairs.change_reason IS 'Why.';

CREATE TABLE control_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    changed_at timestamptz NOT NULL DEFAULT now(),
    change text NOT NULL CHECK (change IN ('SWITCHED', 'ENABLED', 'OVERRIDDEN', 'DISABLED')),
    pair text,
    before text NOT NULL,
    after text NOT NULL,
    changed_by text NOT NULL,
    reason text NOT NULL,
    CHECK ((change = 'SWITCHED') = (pair IS NULL))
);
COMMENT ON TABLE control_changes IS 'Every change of the switch and of a pair''s right to trade. Rows are only added.';
COMMENT ON COLUMN control_changes.id IS 'Order of the changes.';
COMMENT ON COLUMN control_changes.changed_at IS 'When, by this server''s clock.';
COMMENT ON COLUMN control_changes.change IS 'SWITCHED (the switch), ENABLED, OVERRIDDEN, DISABLED (a pair).';
COMMENT ON COLUMN control_changes.pair IS 'The pair; null for the switch.';
COMMENT ON COLUMN control_changes.before IS 'The state before.';
COMMENT ON COLUMN control_changes.after IS 'The state after.';
COMMENT ON COLUMN control_changes.changed_by IS 'The person, the protection or the program that made the change.';
COMMENT ON COLUMN control_changes.reason IS 'Why.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only added', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON control_changes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION record_switch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO control_changes (change, before, after, changed_by, reason)
    VALUES ('SWITCHED', OLD.state, NEW.state, NEW.changed_by, NEW.reason);
    RETURN NULL;
END $$;
CREATE TRIGGER recorded AFTER UPDATE ON trading_state FOR EACH ROW EXECUTE FUNCTION record_switch();

CREATE FUNCTION right_of(p trading_pairs) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p.enabled IS NOT TRUE THEN 'disabled' WHEN p.override_reason IS NULL THEN 'enabled' ELSE 'override' END
$$;
CREATE FUNCTION record_right() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_right text := CASE WHEN TG_OP = 'INSERT' THEN 'disabled' ELSE right_of(OLD) END;
    new_right text := right_of(NEW);
BEGIN
    -- An override that is given again, or by somebody else, is a change too.
    IF old_right <> new_right OR (TG_OP = 'UPDATE' AND new_right = 'override'
        AND (OLD.override_by, OLD.override_reason, OLD.enabled_at)
            IS DISTINCT FROM (NEW.override_by, NEW.override_reason, NEW.enabled_at)) THEN
        INSERT INTO control_changes (change, pair, before, after, changed_by, reason)
        VALUES (CASE new_right WHEN 'disabled' THEN 'DISABLED' WHEN 'enabled' THEN 'ENABLED' ELSE 'OVERRIDDEN' END,
            NEW.pair, old_right, new_right, coalesce(NEW.override_by, NEW.changed_by, session_user),
            coalesce(NEW.override_reason, NEW.change_reason, NEW.disabled_reason, 'no reason given'));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER recorded AFTER INSERT OR UPDATE ON trading_pairs FOR EACH ROW EXECUTE FUNCTION record_right();

-- What is so today, as the first rows.
INSERT INTO control_changes (changed_at, change, before, after, changed_by, reason)
SELECT changed_at, 'SWITCHED', state, state, changed_by, reason FROM trading_state;
INSERT INTO control_changes (changed_at, change, pair, before, after, changed_by, reason)
SELECT coalesce(enabled_at, updated_at), CASE WHEN override_reason IS NULL THEN 'ENABLED' ELSE 'OVERRIDDEN' END, pair,
    'disabled', right_of(p), coalesce(override_by, 'unknown'), coalesce(override_reason, verdict_reason, 'unknown')
FROM trading_pairs p WHERE enabled ORDER BY enabled_at;

ALTER TABLE ledger_accounts ADD COLUMN balance numeric(20, 4);
COMMENT ON COLUMN ledger_accounts.balance IS 'Balance after last_transaction_id: each booked amount is added to it, and the broker''s statement must equal it.';
UPDATE ledger_accounts a SET balance = coalesce(
    (SELECT t.balance + (SELECT coalesce(sum(later.amount), 0) FROM broker_transactions later
            WHERE later.account_id = a.account_id AND later.id > t.id)
        FROM broker_transactions t WHERE t.account_id = a.account_id AND t.balance IS NOT NULL ORDER BY t.id DESC LIMIT 1),
    a.opening_balance + (SELECT coalesce(sum(amount), 0) FROM broker_transactions t WHERE t.account_id = a.account_id));
ALTER TABLE ledger_accounts ALTER COLUMN balance SET NOT NULL;

ALTER TABLE broker_transactions ADD COLUMN client_id text;
COMMENT ON COLUMN broker_transactions.client_id IS 'Our name of the order that it is about; null where it has none, and in rows older than this column.';
-- Rows copied before have no name. None is needed: the name tells an order that restored books have forgotten, and what
-- the broker recorded after a backup is copied again, with names.
CREATE INDEX broker_transactions_client_id ON broker_transactions (account_id, client_id) WHERE client_id IS NOT NULL;

COMMENT ON COLUMN trade_executions.exit_reason IS 'STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, HORIZON, MANUAL, MARGIN_CLOSEOUT.';

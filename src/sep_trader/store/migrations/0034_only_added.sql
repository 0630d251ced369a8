-- What the broker said, what was booked of it and what was accepted is never rewritten, by the owner neither.
-- Older programs go on: from 0033.

CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON broker_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON bundle_receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

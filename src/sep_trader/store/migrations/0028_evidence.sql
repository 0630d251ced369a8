-- Evidence that cannot be talked down: a hash-chained ledger of research, to which rows are only added, and the account
-- that a pair's right to trade rests on.

CREATE TABLE research_ledger (
    number bigint PRIMARY KEY CHECK (number > 0),
    at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('BEGUN', 'FINISHED')),
    run_id uuid NOT NULL,
    pair text NOT NULL,
    design text NOT NULL,
    body text NOT NULL,
    previous text NOT NULL,
    hash text NOT NULL UNIQUE,
    UNIQUE (run_id, kind)
);
CREATE INDEX research_ledger_pair ON research_ledger (pair, number);
COMMENT ON TABLE research_ledger IS 'What was ever tried: two rows a training run, before it computes and with what it found. Each row holds the hash of the one before; rows are only added.';
COMMENT ON COLUMN research_ledger.number IS 'Place in the chain, from 1, without gaps.';
COMMENT ON COLUMN research_ledger.at IS 'When it was written, by this server''s clock.';
COMMENT ON COLUMN research_ledger.kind IS 'BEGUN (before anything is computed: a run that breaks off counts) or FINISHED.';
COMMENT ON COLUMN research_ledger.run_id IS 'The run, as in research_runs.';
COMMENT ON COLUMN research_ledger.pair IS 'Instrument, as in EUR_USD.';
COMMENT ON COLUMN research_ledger.design IS 'Name of the design in the catalogue; - for a run that explores and books nothing.';
COMMENT ON COLUMN research_ledger.body IS 'What was tried on which data by which code, or what came of it: JSON, to the byte as it was hashed.';
COMMENT ON COLUMN research_ledger.previous IS 'Hash of the row before; of the first row, 64 zeros.';
COMMENT ON COLUMN research_ledger.hash IS 'SHA-256 of this row and the hash before.';

CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON research_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON research_runs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- UNDECIDABLE: the account has neither reached what it must be worth, nor ruled an edge out.
ALTER TABLE research_runs DROP CONSTRAINT research_runs_verdict_check,
    ADD CONSTRAINT research_runs_verdict_check CHECK (verdict IN ('READY', 'NOT_READY', 'UNDECIDABLE'));
ALTER TABLE trading_pairs DROP CONSTRAINT trading_pairs_verdict_check,
    ADD CONSTRAINT trading_pairs_verdict_check CHECK (verdict IN ('READY', 'NOT_READY', 'UNDECIDABLE')),
    ADD COLUMN account jsonb;
COMMENT ON COLUMN research_runs.verdict IS 'READY, NOT_READY, or UNDECIDABLE with what would decide it.';
COMMENT ON COLUMN trading_pairs.account IS 'What the right to trade rests on: e_value (practice needs threshold), e_forward (a live account needs it), e_history, basis, trades and their figures.';

-- The chain is the training machine's; what a receiver has seen of it, a later bundle must still hold.
ALTER TABLE bundle_receipts ADD COLUMN ledger_number bigint NOT NULL DEFAULT 0,
    ADD COLUMN ledger_hash text NOT NULL DEFAULT repeat('0', 64);
COMMENT ON COLUMN bundle_receipts.ledger_number IS 'Rows of the sender''s ledger of research when the bundle was made.';
COMMENT ON COLUMN bundle_receipts.ledger_hash IS 'Hash of the newest of them: a later bundle must hold it at the same place.';

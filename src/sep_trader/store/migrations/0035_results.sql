-- What happened on the trading machine comes home: up to where it has.
-- Older programs go on: from 0033.

CREATE TABLE results_receipts (
    source text PRIMARY KEY,
    until timestamptz NOT NULL,
    accounts jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE results_receipts IS 'Up to where the results of each trading machine are here.';
COMMENT ON COLUMN results_receipts.source IS 'Identity of the machine''s database cluster, as bundles are addressed.';
COMMENT ON COLUMN results_receipts.until IS 'When the newest results that are here were read there, by that machine''s clock.';
COMMENT ON COLUMN results_receipts.accounts IS 'For each account: number, hash and count of its broker transactions that are here, and the time of its newest equity.';
COMMENT ON COLUMN results_receipts.received_at IS 'When they were taken in, by this server''s clock.';

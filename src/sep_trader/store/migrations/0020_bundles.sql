-- Both ends of the signed hand-over: what this database sent, and what it accepted.

CREATE TABLE bundle_exports (
    target text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    manifest_sha256 text NOT NULL,
    state_sha256 text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    acknowledged_at timestamptz,
    signal_ids uuid[] NOT NULL,
    PRIMARY KEY (target, sequence)
);
COMMENT ON TABLE bundle_exports IS 'Bundles made here, by the database they are for. A bundle that was never acknowledged is made again.';
COMMENT ON COLUMN bundle_exports.target IS 'Identity of the receiving database.';
COMMENT ON COLUMN bundle_exports.sequence IS 'Number of the bundle at that database.';
COMMENT ON COLUMN bundle_exports.manifest_sha256 IS 'What was signed.';
COMMENT ON COLUMN bundle_exports.state_sha256 IS 'Hash of the pairs and models it carries: it changes when they do.';
COMMENT ON COLUMN bundle_exports.created_at IS 'When it was made.';
COMMENT ON COLUMN bundle_exports.expires_at IS 'It is refused after this.';
COMMENT ON COLUMN bundle_exports.acknowledged_at IS 'When the receiver''s receipt was seen; null before.';
COMMENT ON COLUMN bundle_exports.signal_ids IS 'Signals that it carries.';

CREATE TABLE bundle_receipts (
    sequence bigint PRIMARY KEY CHECK (sequence > 0),
    manifest_sha256 text NOT NULL UNIQUE,
    signer text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now(),
    signals integer NOT NULL,
    models integer NOT NULL,
    pairs integer NOT NULL,
    candles integer NOT NULL
);
COMMENT ON TABLE bundle_receipts IS 'Bundles that were accepted here, one a number; written in the transaction that imports them.';
COMMENT ON COLUMN bundle_receipts.sequence IS 'Number of the bundle; each follows its predecessor.';
COMMENT ON COLUMN bundle_receipts.manifest_sha256 IS 'What was signed.';
COMMENT ON COLUMN bundle_receipts.signer IS 'Who signed, as named in the allowed signers.';
COMMENT ON COLUMN bundle_receipts.created_at IS 'When it was made.';
COMMENT ON COLUMN bundle_receipts.expires_at IS 'It would have been refused after this.';
COMMENT ON COLUMN bundle_receipts.imported_at IS 'When it was accepted.';
COMMENT ON COLUMN bundle_receipts.signals IS 'Signals that were new here.';
COMMENT ON COLUMN bundle_receipts.models IS 'Models that were new here.';
COMMENT ON COLUMN bundle_receipts.pairs IS 'Pairs whose settings changed here.';
COMMENT ON COLUMN bundle_receipts.candles IS 'Candles that were new here.';

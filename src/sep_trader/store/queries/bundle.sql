-- name: bundle_target :value
-- The identity of this database cluster, which bundles are addressed to.
SELECT system_identifier::text FROM pg_control_system();

-- name: bundle_new_signals :value
-- Undecided signals that no bundle up to the receiver's receipt carried to it, as one JSON array.
SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.candle_time, s.pair, s.id), '[]')::text
FROM trading_signals s
WHERE s.status = 'NEW' AND s.origin = 'model' AND NOT EXISTS (
    SELECT 1 FROM bundle_exports e
    WHERE e.target = :target AND e.acknowledged_at IS NOT NULL AND e.sequence <= :sequence AND s.id = ANY(e.signal_ids));

-- name: bundle_pairs :value
-- Every pair that was ever judged, enabled or not, as one JSON array.
SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.pair), '[]')::text FROM trading_pairs p;

-- name: bundle_models :value
-- The models that pairs or the signals of this bundle name, as one JSON array.
SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.id), '[]')::text FROM models m
WHERE m.id IN (SELECT model_id FROM trading_pairs) OR m.id IN (
    SELECT x->>'model_id' FROM jsonb_array_elements(:signals::jsonb) AS x);

-- name: bundle_runs :value
-- The research runs behind these models, as one JSON array.
SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.id), '[]')::text FROM research_runs r
WHERE r.id IN (SELECT (x->>'run_id')::uuid FROM jsonb_array_elements(:models::jsonb) AS x);

-- name: bundle_ledger :value
-- Number and hash of every row of the ledger of research, as one JSON array of pairs.
SELECT coalesce(jsonb_agg(jsonb_build_array(number, hash) ORDER BY number), '[]')::text FROM research_ledger;

-- name: ledger_received :one
-- What the newest bundle accepted here said of the sender's ledger of research.
SELECT ledger_number AS number, ledger_hash AS hash FROM bundle_receipts ORDER BY sequence DESC LIMIT 1;

-- name: bundle_candles :value
-- The newest candles of each enabled pair at its model's granularity, with names, as one JSON array.
SELECT coalesce(jsonb_agg(to_jsonb(c) ORDER BY c.instrument, c.granularity, c.time), '[]')::text
FROM v_active_pairs p
CROSS JOIN LATERAL (
    SELECT i.name AS instrument, i.pip_location, i.display_precision, g.name AS granularity, m.time, m.open, m.high, m.low,
        m.close, m.spread, m.volume
    FROM market_candles m JOIN instruments i ON i.id = m.instrument_id JOIN granularities g ON g.code = m.granularity
    WHERE i.name = p.pair AND g.name = p.granularity
    ORDER BY m.time DESC LIMIT :limit) AS c;

-- name: insert_bundle_export :execute
-- Remember a bundle made for a target; a number that was made before and never acknowledged is made anew.
INSERT INTO bundle_exports (target, sequence, manifest_sha256, state_sha256, created_at, expires_at, signal_ids)
VALUES (:target, :sequence, :manifest_sha256, :state_sha256, :created_at, :expires_at, :signal_ids)
ON CONFLICT (target, sequence) DO UPDATE SET manifest_sha256 = excluded.manifest_sha256,
    state_sha256 = excluded.state_sha256, created_at = excluded.created_at, expires_at = excluded.expires_at,
    signal_ids = excluded.signal_ids, acknowledged_at = NULL;

-- name: acknowledge_bundle :execute
-- Note the receiver's receipt for a bundle of ours; nothing happens for one that we did not make.
UPDATE bundle_exports SET acknowledged_at = coalesce(acknowledged_at, now())
WHERE target = :target AND sequence = :sequence AND manifest_sha256 = :manifest_sha256;

-- name: last_export_state :value
-- Hash of the pairs and models that the target has by its own receipt.
SELECT state_sha256 FROM bundle_exports WHERE target = :target AND acknowledged_at IS NOT NULL AND sequence <= :sequence
ORDER BY sequence DESC LIMIT 1;

-- name: last_receipt :one
-- The newest bundle accepted here, as a receipt in the name of this database.
SELECT :target::text AS target, sequence, manifest_sha256, signals, models, pairs, candles FROM bundle_receipts
ORDER BY sequence DESC LIMIT 1;

-- name: receipt_of :value
-- The number under which a bundle was accepted here.
SELECT sequence FROM bundle_receipts WHERE manifest_sha256 = :manifest_sha256;

-- name: bundle_conflicts :value
-- How many signals and models of a bundle exist here with another content.
SELECT (SELECT count(*) FROM jsonb_populate_recordset(NULL::trading_signals, :signals::jsonb) n
        JOIN trading_signals s ON s.id = n.id
        WHERE (s.pair, s.model_id, s.granularity, s.candle_time, s.side, s.confidence, s.stop_distance, s.target_distance,
            s.horizon, s.expires_at) IS DISTINCT FROM (n.pair, n.model_id, n.granularity, n.candle_time, n.side, n.confidence,
            n.stop_distance, n.target_distance, n.horizon, n.expires_at))
    + (SELECT count(*) FROM jsonb_populate_recordset(NULL::trading_signals, :signals::jsonb) n
        JOIN trading_signals s ON (s.model_id, s.pair, s.candle_time, s.kind)
            = (n.model_id, n.pair, n.candle_time, coalesce(n.kind, 'ENTRY')) WHERE s.id <> n.id)
    + (SELECT count(*) FROM jsonb_populate_recordset(NULL::models, :models::jsonb) n
        JOIN models m ON m.id = n.id WHERE m.artifact IS DISTINCT FROM n.artifact);

-- name: import_runs :execute
-- Research runs of a bundle that are not here yet.
INSERT INTO research_runs SELECT * FROM jsonb_populate_recordset(NULL::research_runs, :rows::jsonb)
ON CONFLICT DO NOTHING;

-- name: import_models :execute
-- Models of a bundle that are not here yet.
INSERT INTO models SELECT * FROM jsonb_populate_recordset(NULL::models, :rows::jsonb) ON CONFLICT DO NOTHING;

-- name: import_pairs :execute
-- Settings of pairs that are newer than what is here; what was disabled here stays so until it is enabled here. None trades by a
-- verdict whose account is worth less than a twentieth of what it needs; one that was found decayed here needs an account that
-- began after that, or a person's override.
INSERT INTO trading_pairs AS p
SELECT * FROM jsonb_populate_recordset(NULL::trading_pairs, (
    SELECT jsonb_agg(CASE WHEN (x->>'enabled')::boolean AND x->>'override_reason' IS NULL
            AND (x->'account'->>'e_value')::float8 < (x->'account'->>'threshold')::float8 / 20
        THEN x || jsonb_build_object('enabled', false, 'disabled_reason', 'its account is worth less than a verdict needs')
        ELSE x END || '{"latched_at": null}'::jsonb)
    FROM jsonb_array_elements(:rows::jsonb) AS x))
ON CONFLICT (pair) DO UPDATE SET enabled = excluded.enabled AND p.latched_at IS NULL AND (p.decayed_at IS NULL OR excluded.override_reason IS NOT NULL
        OR coalesce(time_in(excluded.account, 'since') >= p.decayed_at, false)),
    decayed_at = greatest(p.decayed_at, excluded.decayed_at), model_id = excluded.model_id, verdict = excluded.verdict,
    verdict_reason = excluded.verdict_reason, judged_at = excluded.judged_at, override_by = excluded.override_by,
    override_reason = excluded.override_reason, enabled_at = excluded.enabled_at,
    disabled_reason = excluded.disabled_reason, changed_by = excluded.changed_by, change_reason = excluded.change_reason,
    reasons = excluded.reasons, account = excluded.account, updated_at = excluded.updated_at
WHERE excluded.updated_at > p.updated_at;

-- name: import_signals :execute
-- Signals of a bundle that are not here yet, undecided.
INSERT INTO trading_signals (id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance,
    target_distance, horizon, expires_at, created_at, kind)
SELECT id, pair, model_id, granularity, candle_time, side, confidence, metrics, stop_distance, target_distance, horizon,
    expires_at, created_at, coalesce(kind, 'ENTRY')
FROM jsonb_populate_recordset(NULL::trading_signals, :rows::jsonb)
ON CONFLICT DO NOTHING;

-- name: import_bundle_instruments :execute
-- Instruments of a bundle's candles that are not here yet.
INSERT INTO instruments (name, pip_location, display_precision)
SELECT DISTINCT x->>'instrument', (x->>'pip_location')::smallint, (x->>'display_precision')::smallint
FROM jsonb_array_elements(:rows::jsonb) AS x
ON CONFLICT DO NOTHING;

-- name: import_bundle_candles :value
-- Candles of a bundle that are not here yet; gives how many, and notes the M1 candles for the rollups.
WITH added AS (INSERT INTO market_candles (time, open, high, low, close, spread, volume, instrument_id, granularity)
SELECT x.time, x.open, x.high, x.low, x.close, x.spread, x.volume, i.id, g.code
FROM jsonb_to_recordset(:rows::jsonb) AS x (instrument text, granularity text, time timestamptz, open float8, high float8,
    low float8, close float8, spread float8, volume integer)
JOIN instruments i ON i.name = x.instrument JOIN granularities g ON g.name = x.granularity
ON CONFLICT DO NOTHING RETURNING instrument_id, granularity, time
), noted AS (
    INSERT INTO candle_rollup_due (instrument_id, first, last)
    SELECT instrument_id, min(time), max(time) FROM added JOIN granularities g ON g.code = granularity AND g.name = 'M1'
    GROUP BY instrument_id
)
SELECT note_candles(array_agg(instrument_id), array_agg(granularity), array_agg(time)) FROM added;

-- name: insert_receipt :execute
-- The receipt of a bundle, in the transaction that imported it.
INSERT INTO bundle_receipts (sequence, manifest_sha256, signer, created_at, expires_at, signals, models, pairs, candles,
    ledger_number, ledger_hash)
VALUES (:sequence, :manifest_sha256, :signer, :created_at, :expires_at, :signals, :models, :pairs, :candles,
    :ledger_number, :ledger_hash);

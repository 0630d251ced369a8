-- name: insert_research_run!
-- Record a research run.
INSERT INTO research_runs (id, pair, granularity, first_candle, last_candle, candles, data_hash, code_version, settings,
    seed, trials, verdict, reason, evidence)
VALUES (:id, :pair, :granularity, :first_candle, :last_candle, :candles, :data_hash, :code_version, :settings, :seed,
    :trials, :verdict, :reason, :evidence);

-- name: trials_of_pair$
-- Parameter sets ever tried on a pair's data.
SELECT coalesce(sum(trials), 0)::bigint FROM research_runs WHERE pair = :pair;

-- name: insert_model!
-- Store a model artifact; the id is derived from its content.
INSERT INTO models (id, pair, granularity, run_id, artifact) VALUES (:id, :pair, :granularity, :run_id, :artifact)
ON CONFLICT (id) DO NOTHING;

-- name: record_verdict!
-- Give a pair its newest verdict and model. Any override is withdrawn, and the right to trade unless it is READY.
INSERT INTO trading_pairs (pair, model_id, verdict, verdict_reason, judged_at)
VALUES (:pair, :model_id, :verdict, :reason, now())
ON CONFLICT (pair) DO UPDATE SET
    enabled = trading_pairs.enabled AND excluded.verdict = 'READY',
    disabled_reason = CASE WHEN trading_pairs.enabled AND excluded.verdict <> 'READY'
        THEN 'retrained: the new model is NOT READY' ELSE trading_pairs.disabled_reason END,
    override_by = NULL, override_reason = NULL,
    model_id = excluded.model_id, verdict = excluded.verdict, verdict_reason = excluded.verdict_reason,
    judged_at = excluded.judged_at, updated_at = now();

-- name: pairs
-- Every pair with its verdict and right to trade.
SELECT p.pair, p.enabled, p.verdict, p.verdict_reason, p.judged_at, p.model_id, m.granularity, p.override_by,
    p.override_reason, p.enabled_at, p.disabled_reason
FROM trading_pairs p LEFT JOIN models m ON m.id = p.model_id ORDER BY p.pair;

-- name: pair^
-- One pair with its verdict and right to trade.
SELECT p.pair, p.enabled, p.verdict, p.verdict_reason, p.judged_at, p.model_id, m.granularity, m.artifact, p.override_by,
    p.override_reason, p.enabled_at, p.disabled_reason
FROM trading_pairs p LEFT JOIN models m ON m.id = p.model_id WHERE p.pair = :pair;

-- name: enable_pair!
-- Let a pair trade, by its READY verdict or by a person's recorded override.
UPDATE trading_pairs SET enabled = true, enabled_at = now(), override_by = :override_by, override_reason = :override_reason,
    disabled_reason = NULL, updated_at = now()
WHERE pair = :pair;

-- name: disable_pair!
-- Take a pair's right to trade.
UPDATE trading_pairs SET enabled = false, disabled_reason = :reason, override_by = NULL, override_reason = NULL,
    updated_at = now()
WHERE pair = :pair AND enabled;

-- name: enabled_models
-- The models of the pairs that may trade.
SELECT p.pair, m.id AS model_id, m.granularity, m.artifact
FROM trading_pairs p JOIN models m ON m.id = p.model_id WHERE p.enabled ORDER BY p.pair;

-- name: trained_models
-- The newest model of every trained pair, whether it may trade or not.
SELECT p.pair, m.id AS model_id, m.granularity, m.artifact, p.enabled
FROM trading_pairs p JOIN models m ON m.id = p.model_id ORDER BY p.pair;

-- name: insert_research_run :execute
-- Record a research run.
INSERT INTO research_runs (id, pair, granularity, first_candle, last_candle, candles, data_hash, code_version, settings,
    seed, trials, verdict, reason, evidence)
VALUES (:id, :pair, :granularity, :first_candle, :last_candle, :candles, :data_hash, :code_version, :settings, :seed,
    :trials, :verdict, :reason, :evidence);

-- name: trials_of_pair :value
-- Parameter sets ever tried on a pair's data: by the ledger, which counts runs that broke off, and before there was one.
SELECT ((SELECT coalesce(sum((body::jsonb->>'trials')::bigint), 0) FROM research_ledger
        WHERE pair = :pair AND kind IN ('BEGUN', 'EXPLORED'))
    + (SELECT coalesce(sum(trials), 0) FROM research_runs r
        WHERE pair = :pair AND NOT EXISTS (SELECT FROM research_ledger l WHERE l.run_id = r.id)))::bigint;

-- name: insert_model :execute
-- Store a model artifact; the id is derived from its content.
INSERT INTO models (id, pair, granularity, run_id, artifact) VALUES (:id, :pair, :granularity, :run_id, :artifact)
ON CONFLICT (id) DO NOTHING;

-- name: model_artifact :value
-- A model as it was stored.
SELECT artifact FROM models WHERE id = :id;

-- name: record_verdict :execute
-- Give a pair its newest verdict and model. Any override is withdrawn, and the right to trade unless it is READY.
INSERT INTO trading_pairs (pair, model_id, verdict, verdict_reason, reasons, account, judged_at)
VALUES (:pair, :model_id, :verdict, :reason, :reasons, :account, now())
ON CONFLICT (pair) DO UPDATE SET
    enabled = trading_pairs.enabled AND excluded.verdict = 'READY',
    disabled_reason = CASE WHEN trading_pairs.enabled AND excluded.verdict <> 'READY'
        THEN 'retrained: the new model is ' || replace(excluded.verdict, '_', ' ') ELSE trading_pairs.disabled_reason END,
    changed_by = 'training', change_reason = 'retrained: ' || excluded.verdict || ', ' || excluded.verdict_reason,
    override_by = NULL, override_reason = NULL,
    model_id = excluded.model_id, verdict = excluded.verdict, verdict_reason = excluded.verdict_reason,
    reasons = excluded.reasons, account = excluded.account, judged_at = excluded.judged_at, updated_at = now();

-- name: pairs :many
-- Every pair with its verdict, what that rests on, and its right to trade.
SELECT p.pair, p.enabled, p.verdict, p.verdict_reason, coalesce(p.reasons, '[]') AS reasons, p.judged_at,
    p.model_id, m.granularity, p.override_by,
    p.override_reason, p.enabled_at, p.disabled_reason,
    number_in(p.account, 'e_value') AS e_value, number_in(p.account, 'e_history') AS e_history,
    number_in(p.account, 'e_forward') AS e_forward, number_in(p.account, 'threshold') AS threshold,
    p.account->>'basis' AS basis, count_in(p.account, 'guard_breaks') AS guard_breaks,
    count_in(p.account, 'trials') AS trials, count_in(p.account, 'trades') AS trades,
    number_in(p.account, 'expectancy_pips') AS expectancy_pips, number_in(p.account, 'edge_sd') AS edge_sd,
    time_in(p.account, 'candles_until') AS candles_until, p.decayed_at
FROM trading_pairs p LEFT JOIN models m ON m.id = p.model_id ORDER BY p.pair;

-- name: pair_judged :one
-- One pair as the newest training left it.
SELECT p.model_id, p.verdict, p.verdict_reason,
    coalesce(m.artifact->'costs'->'spread'->>'source', 'unknown') AS spread,
    number_in(p.account, 'e_forward') AS e_forward, number_in(p.account, 'threshold') AS threshold
FROM trading_pairs p LEFT JOIN models m ON m.id = p.model_id WHERE p.pair = :pair;

-- name: pair_before :one
-- A pair as the newest training that rests on its account left it, and when its edge was last found gone.
SELECT CASE WHEN account IS NOT NULL THEN verdict END AS verdict, account->'promise' AS promise, decayed_at, enabled,
    (SELECT l.design FROM research_ledger l WHERE l.pair = p.pair AND l.kind = 'FINISHED' AND l.body::jsonb->>'model' = p.model_id
        ORDER BY l.number DESC LIMIT 1) AS design
FROM trading_pairs p WHERE pair = :pair;

-- name: kept_run :one
-- A finished run whose verdict still stands.
SELECT r.verdict, r.reason, r.evidence, p.account, m.artifact
FROM research_runs r JOIN models m ON m.run_id = r.id OR m.id = (SELECT l.body::jsonb->>'model' FROM research_ledger l
    WHERE l.run_id = r.id AND l.kind = 'FINISHED')
JOIN trading_pairs p ON p.pair = r.pair AND p.model_id = m.id
WHERE r.id = :run_id AND r.verdict = p.verdict AND p.account IS NOT NULL;

-- name: financing_rates :one
-- The broker's annual financing rates of a pair.
SELECT financing_long AS long, financing_short AS short FROM instruments WHERE name = :pair;

-- name: enabled_models :many
-- The models of the pairs that may trade.
SELECT p.pair, m.artifact FROM trading_pairs p JOIN models m ON m.id = p.model_id WHERE p.enabled ORDER BY p.pair;

-- name: trained_models :many
-- The newest model of every trained pair, whether it may trade or not.
SELECT p.pair, m.artifact FROM trading_pairs p JOIN models m ON m.id = p.model_id ORDER BY p.pair;

-- name: run_of :one
-- A training run's verdict and evidence.
SELECT verdict, reason, evidence FROM research_runs WHERE id = :run_id;

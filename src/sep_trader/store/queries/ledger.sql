-- name: ledger_now :value
-- The server's time as the next row of the ledger states it.
SELECT clock_timestamp();

-- name: ledger_head :one
-- The newest row of the ledger of research.
SELECT number, hash FROM research_ledger ORDER BY number DESC LIMIT 1;

-- name: add_to_ledger :execute
-- Add a row to the ledger of research.
INSERT INTO research_ledger (number, at, kind, run_id, pair, design, body, previous, hash)
VALUES (:number, :at, :kind, :run_id, :pair, :design, :body, :previous, :hash);

-- name: research_ledger :many
-- The whole ledger of research, oldest first.
SELECT number, at, kind, run_id, pair, design, body, previous, hash FROM research_ledger ORDER BY number;

-- name: finished_without_run :many
-- Runs that the ledger calls finished and research_runs does not know, or that it knows with another verdict.
SELECT l.number, l.run_id FROM research_ledger l LEFT JOIN research_runs r ON r.id = l.run_id
WHERE l.kind = 'FINISHED' AND (r.id IS NULL OR r.verdict IS DISTINCT FROM l.body::jsonb->>'verdict'
    OR r.pair <> l.pair OR r.data_hash IS DISTINCT FROM l.body::jsonb->>'data_hash')
ORDER BY l.number;

-- name: pairs_tried :many
-- Every pair that was ever tried, in the order of its first row.
SELECT pair FROM research_ledger GROUP BY pair ORDER BY min(number);

-- name: newest_accounts :many
-- The newest accounts of each design of a pair.
SELECT DISTINCT ON (design) design, body::jsonb->'account' AS account FROM research_ledger
WHERE pair = :pair AND kind = 'FINISHED' AND design <> '-' ORDER BY design, number DESC;

-- name: registrations :many
-- The designs that were registered for a pair, oldest first.
SELECT design, at, body::jsonb AS body FROM research_ledger WHERE pair = :pair AND kind = 'REGISTERED' ORDER BY number;

-- name: same_run :value
-- The run of a pair's newest finished training, if it was begun with just this content.
SELECT f.run_id FROM (SELECT run_id FROM research_ledger WHERE pair = :pair AND kind = 'FINISHED'
    ORDER BY number DESC LIMIT 1) f
JOIN research_ledger b ON b.run_id = f.run_id AND b.kind = 'BEGUN' AND b.body = :body;

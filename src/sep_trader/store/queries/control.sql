-- name: trading_state :one
-- The switch and who set it.
SELECT state, reason, changed_by, changed_at FROM trading_state;

-- name: turn_switch :execute
-- Turn the switch for a person: whatever it was, it is as the person says.
UPDATE trading_state SET state = :state, reason = :reason, changed_by = :changed_by, changed_at = now();

-- name: reduce_trading :execute
-- Let a protection turn ACTIVE down to REDUCING. A HALTED or REDUCING switch stays with the words of who set it.
UPDATE trading_state SET state = 'REDUCING', reason = :reason, changed_by = :changed_by, changed_at = now()
WHERE state = 'ACTIVE';

-- name: halt_trading :execute
-- Let a protection halt. A HALTED switch stays with the words of who set it.
UPDATE trading_state SET state = 'HALTED', reason = :reason, changed_by = :changed_by, changed_at = now()
WHERE state <> 'HALTED';

-- name: control_changes :many
-- Changes of the switch and of pairs' rights, newest first, of one pair where given.
SELECT id, changed_at, change, pair, before, after, changed_by, reason FROM control_changes
WHERE :pair::text IS NULL OR pair = :pair ORDER BY id DESC LIMIT :limit;

-- name: enable_pair :execute
-- Let a pair trade, by its READY verdict or by a person's recorded override.
UPDATE trading_pairs SET enabled = true, latched_at = NULL, enabled_at = now(), override_by = :override_by, override_reason = :override_reason,
    disabled_reason = NULL, changed_by = :changed_by, change_reason = :change_reason, updated_at = now()
WHERE pair = :pair;

-- name: disable_pair :execute
-- Take a pair's right to trade: on this machine, until it is given back here.
UPDATE trading_pairs SET enabled = false, latched_at = now(), disabled_reason = :reason, override_by = NULL, override_reason = NULL,
    changed_by = :changed_by, change_reason = :reason, updated_at = now()
WHERE pair = :pair AND enabled;

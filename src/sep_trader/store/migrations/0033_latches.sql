-- Who decides: what is disabled on this machine stays disabled until this machine enables it; and times that are none.

ALTER TABLE trading_pairs ADD COLUMN latched_at timestamptz;
COMMENT ON COLUMN trading_pairs.latched_at IS 'Since when this machine itself has taken the right; no bundle gives it back, only an enabling here does. Null otherwise.';

-- Rows of before that break these are refused by the trader (BAD_SIGNAL), and stay as they are.
ALTER TABLE trading_signals
    ADD CONSTRAINT trading_signals_pair CHECK (pair ~ '^[A-Z]{3}_[A-Z]{3}$') NOT VALID;
ALTER TABLE trading_pairs
    ADD CONSTRAINT trading_pairs_pair CHECK (pair ~ '^[A-Z]{3}_[A-Z]{3}$') NOT VALID,
    ADD CONSTRAINT trading_pairs_time CHECK (isfinite(updated_at)) NOT VALID;

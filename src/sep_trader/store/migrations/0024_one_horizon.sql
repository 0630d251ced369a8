-- A horizon is counted from the end of the signal's candle, by the clock, in research and by the trader alike. A distance
-- that is no finite number cannot be traded: PostgreSQL counts NaN and Infinity as greater than 0.

COMMENT ON COLUMN trading_signals.horizon IS 'The trade is closed this long after the end of the candle, at the latest.';
COMMENT ON COLUMN trade_executions.horizon_at IS 'When the trade is closed at the latest: end of the signal''s candle and its horizon (broker time).';

-- Rows that are there already are left as they are: the trader sets them aside.
ALTER TABLE trading_signals
    ADD CONSTRAINT trading_signals_finite CHECK (
        stop_distance < 'Infinity' AND stop_distance <> 'NaN'
        AND (target_distance IS NULL OR (target_distance < 'Infinity' AND target_distance <> 'NaN'))
        AND horizon > interval '0' AND horizon <= interval '10 years'
        AND candle_time < timestamptz '2200-01-01 00:00+00' AND expires_at < timestamptz '2200-01-01 00:00+00'
    ) NOT VALID;

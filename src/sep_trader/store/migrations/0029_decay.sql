-- An edge that is gone is noticed, and designs that a person registers before their trades count for a live account.

ALTER TABLE research_ledger DROP CONSTRAINT research_ledger_kind_check,
    ADD CONSTRAINT research_ledger_kind_check CHECK (kind IN ('BEGUN', 'FINISHED', 'EXPLORED', 'REGISTERED'));
COMMENT ON COLUMN research_ledger.kind IS 'BEGUN (before anything is computed: a run that breaks off counts), FINISHED, EXPLORED (a backtest with what it found), or REGISTERED: a design that bets on candles after this row only.';
COMMENT ON COLUMN research_ledger.design IS 'Name of the design in the catalogue, or registration-1, -2, ... of the pair; - for a run that explores and books nothing.';

ALTER TABLE trading_pairs ADD COLUMN decayed_at timestamptz;
COMMENT ON COLUMN trading_pairs.decayed_at IS 'When its live trades last showed that the promised edge is gone: only candles after it count from then on. Null: never.';
CREATE INDEX trade_executions_pair_exit ON trade_executions (pair, exit_time) WHERE status = 'CLOSED';

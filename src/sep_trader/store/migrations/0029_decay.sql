-- An edge that is gone is noticed, and designs that a person registers before their trades count for a live account.

ALTER TABLE research_ledger DROP CONSTRAINT research_ledger_kind_check,
    ADD CONSTRAINT research_ledger_kind_check CHECK (kind IN ('BEGUN', 'FINISHED', 'EXPLORED', 'REGISTERED'));
COMMENT ON COLUMN research_ledger.kind IS 'BEGUN (before anything is computed: a run that breaks off counts), FINISHED, EXPLORED (a backtest with what it found), or REGISTERED: a design that bets on candles after this row only.';
COMMENT ON COLUMN research_ledger.design IS 'Name of the design in the catalogue, or registration-1, -2, ... of the pair; - for a run that explores and books nothing.';

ALTER TABLE trading_pairs ADD COLUMN decayed_at timestamptz;
COMMENT ON COLUMN trading_pairs.decayed_at IS 'When its live trades last showed that the promised edge is gone: only candles after it count from then on. Null: never.';
CREATE INDEX trade_executions_pair_exit ON trade_executions (pair, exit_time) WHERE status = 'CLOSED';

ALTER TABLE trading_signals ADD COLUMN kind text NOT NULL DEFAULT 'ENTRY' CHECK (kind IN ('ENTRY', 'EXIT'));
ALTER TABLE trading_signals DROP CONSTRAINT trading_signals_model_id_pair_candle_time_key,
    ADD CONSTRAINT trading_signals_once UNIQUE (model_id, pair, candle_time, kind);
COMMENT ON COLUMN trading_signals.kind IS 'ENTRY opens a trade; EXIT closes the open trade of the same model that goes against its side.';
COMMENT ON COLUMN trade_executions.exit_reason IS 'STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, HORIZON, STOP_PASSED, LATE, FLATTENED, REQUESTED, SIGNAL, MANUAL, MARGIN_CLOSEOUT.';

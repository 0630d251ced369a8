-- What the live day was, held against the backtest of the same day: written each night. What that needs of a closing fill.

ALTER TABLE trade_executions ADD COLUMN exit_bid numeric, ADD COLUMN exit_ask numeric;
COMMENT ON COLUMN trade_executions.exit_bid IS 'Best bid at the closing fill, as the broker states it.';
COMMENT ON COLUMN trade_executions.exit_ask IS 'Best ask at the closing fill, as the broker states it.';

CREATE TABLE live_statements (
    day date NOT NULL,
    pair text NOT NULL,
    model_id text NOT NULL REFERENCES models,
    made_at timestamptz NOT NULL DEFAULT now(),
    decisions integer NOT NULL CHECK (decisions >= 0),
    decisions_identical integer NOT NULL CHECK (decisions_identical BETWEEN 0 AND decisions),
    trades integer NOT NULL CHECK (trades >= 0),
    identical integer NOT NULL CHECK (identical BETWEEN 0 AND trades),
    live numeric(20, 4) NOT NULL,
    backtest numeric(20, 4) NOT NULL,
    parts jsonb NOT NULL,
    residual numeric(20, 4) NOT NULL,
    differing jsonb NOT NULL,
    PRIMARY KEY (day, pair, model_id)
);
COMMENT ON TABLE live_statements IS 'Is live the backtest? One row a broker day, pair and model: decisions, trades and money of the live day against the candles that the broker has of it.';
COMMENT ON COLUMN live_statements.day IS 'The broker''s day: from 17:00 New York to 17:00 New York, named after the day on which it ends.';
COMMENT ON COLUMN live_statements.pair IS 'Instrument, as in EUR_USD.';
COMMENT ON COLUMN live_statements.model_id IS 'The model that proposed.';
COMMENT ON COLUMN live_statements.made_at IS 'When the statement was made, by this server''s clock.';
COMMENT ON COLUMN live_statements.decisions IS 'Proposals of the model on the broker''s candles of the day, and signals that it does not propose there.';
COMMENT ON COLUMN live_statements.decisions_identical IS 'Of these, how many were signals of the same side, stop, target and horizon, and were decided.';
COMMENT ON COLUMN live_statements.trades IS 'Trades of these signals that ended.';
COMMENT ON COLUMN live_statements.identical IS 'Of these, how many entered and left in the candles, and for the reason, that bid and ask say.';
COMMENT ON COLUMN live_statements.live IS 'What the trades earned, account currency.';
COMMENT ON COLUMN live_statements.backtest IS 'What the candle backtest of the day earned, sized by the balance at its beginning, account currency.';
COMMENT ON COLUMN live_statements.parts IS 'The difference by its causes: timing, spread, slippage, stop_gap, horizon, trade_set, size, financing, conversion, rounding.';
COMMENT ON COLUMN live_statements.residual IS 'What the parts leave unexplained.';
COMMENT ON COLUMN live_statements.differing IS 'What is not identical, in words.';

-- What somebody was told: an alarm is told once, again after hours, and when it is over.

CREATE TABLE alert_states (
    alarm text PRIMARY KEY,
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    detail text NOT NULL,
    since timestamptz NOT NULL,
    told_at timestamptz,
    times integer NOT NULL DEFAULT 0 CHECK (times >= 0)
);
COMMENT ON TABLE alert_states IS 'Alarms that are on now, and when somebody was last told of each.';
COMMENT ON COLUMN alert_states.alarm IS 'What is wrong, in one word.';
COMMENT ON COLUMN alert_states.severity IS 'info, warning, critical.';
COMMENT ON COLUMN alert_states.detail IS 'In words, as it was last seen.';
COMMENT ON COLUMN alert_states.since IS 'When it was first seen.';
COMMENT ON COLUMN alert_states.told_at IS 'When somebody was last told; null: nobody was reached yet.';
COMMENT ON COLUMN alert_states.times IS 'How often it was told.';

CREATE TABLE alert_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sent_at timestamptz NOT NULL DEFAULT now(),
    severity text NOT NULL,
    title text NOT NULL,
    reached boolean NOT NULL
);
CREATE INDEX alert_messages_sent ON alert_messages (sent_at);
COMMENT ON TABLE alert_messages IS 'Messages that were sent, or tried: what keeps their number an hour bounded.';
COMMENT ON COLUMN alert_messages.id IS 'In the order of sending.';
COMMENT ON COLUMN alert_messages.sent_at IS 'When, by this server''s clock.';
COMMENT ON COLUMN alert_messages.severity IS 'info, warning, critical.';
COMMENT ON COLUMN alert_messages.title IS 'The first line.';
COMMENT ON COLUMN alert_messages.reached IS 'Whether every target took it.';

-- Which of them ask to close, not to open.
CREATE OR REPLACE VIEW v_recent_signals AS
SELECT s.candle_time, s.pair, CASE WHEN s.side > 0 THEN 'BUY' ELSE 'SELL' END AS side, s.confidence, s.status, s.reason_code,
    s.reason, s.stop_distance, s.target_distance, s.expires_at, s.granularity, s.model_id, s.id, s.kind
FROM trading_signals s
ORDER BY s.candle_time DESC, s.pair;

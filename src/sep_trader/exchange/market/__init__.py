"""What is quoted: the tape of quotes, the calendar of sessions, instrument terms and candles."""

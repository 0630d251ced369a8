"""What tests share: an exchange as a process, quotes as a script, candles, waiting."""

#!/usr/bin/env python3
"""Entry point of the daily workflow; holds no logic: every command is that of `sep`.

train_manager.py status | train PAIR | train-all | generate_signals | enable PAIR | disable PAIR
"""

import sys

try:
    from sep_trader.entry import main
except ImportError:
    sys.exit("train_manager: sep-trader is not installed for this Python (make setup, then .venv/bin/python)")

if __name__ == "__main__":
    main()

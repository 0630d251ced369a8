"""`python -m sep_trader` is the command `sep`."""

from sep_trader.entry import main

if __name__ == "__main__":
    main()

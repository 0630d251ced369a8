"""`python -m sep_trader` is the command `sep`."""

from sep_trader.cli.main import main

if __name__ == "__main__":
    main()

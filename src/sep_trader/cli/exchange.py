"""`sep exchange`: the simulated OANDA v20 exchange."""

import typer

app = typer.Typer(no_args_is_help=True, help="A simulated OANDA v20 exchange over real HTTP.")

"""Options that several commands share, each in one wording."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides it.")]
Why = Annotated[str | None, typer.Option("--reason", help="Why; recorded.")]

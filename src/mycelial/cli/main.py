"""The `mycelial` command: assembles the command groups and turns errors into one line and an exit code.

Command modules import only the standard library, typer and `mycelial.cli.output` at the top; whatever is heavy (NumPy,
Numba, pyarrow) is imported inside the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import sys

import typer

from mycelial.cli import config, data, facts
from mycelial.domain.errors import MycelialError

app = typer.Typer(
    name="mycelial",
    help="A living crypto market of learning agents, measured against the real one. Simulated is simulated.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(config.app, name="config")
app.add_typer(data.app, name="data")
app.add_typer(facts.app, name="facts")


@app.command()
def version() -> None:
    """Print the version."""
    from mycelial import __version__

    typer.echo(__version__)


def main() -> None:
    """Run the command line; every deliberate error is one line on stderr."""
    try:
        app()
    except MycelialError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()

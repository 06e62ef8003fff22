"""The `mycelial` command: assembles the command groups and turns errors into one line and an exit code.

Command modules import only the standard library, typer and `mycelial.cli.output` at the top; whatever is heavy (NumPy,
Numba, pyarrow) is imported inside the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys

import typer

from mycelial.cli import calibrate, config, data, demo, doctor, exchange, facts, learn, runs, sim, trade
from mycelial.domain.errors import Interrupted, MycelialError

TRACEBACK = "MYCELIAL_TRACEBACK"  # environment variable for people who mend mycelial

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
app.add_typer(sim.app, name="sim")
app.add_typer(learn.app, name="learn")
app.add_typer(exchange.app, name="exchange")
app.add_typer(trade.app, name="trade")
app.add_typer(runs.app, name="runs")
app.command()(demo.demo)
app.add_typer(calibrate.app, name="calibrate")
app.command()(doctor.doctor)


@app.command()
def version() -> None:
    """Print the version."""
    from mycelial import __version__

    typer.echo(__version__)


def main() -> None:
    """Run the command line; every error is one line on stderr, and no traceback is shown unless asked for."""
    try:
        app()
    except Interrupted as stopped:
        typer.echo(str(stopped), err=True)
        sys.exit(stopped.exit_code)
    except MycelialError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        typer.echo(
            f"error: a defect of mycelial: {type(error).__name__}: {error}; please report it with what "
            f"{TRACEBACK}=1 shows for the same command",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()

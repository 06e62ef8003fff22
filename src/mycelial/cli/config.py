"""Commands of `mycelial config`: show what holds and why, check files, explain a key, print the schema."""

from __future__ import annotations

from typing import Annotated

import typer

from mycelial.cli.options import ConfigFiles, Json, Settings, load_config
from mycelial.cli.output import note, print_json

app = typer.Typer(no_args_is_help=True, help="Configuration: show, check, explain.")


@app.command()
def show(
    config: ConfigFiles = None,
    set_: Settings = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value came from.")] = False,
    json: Json = False,
) -> None:
    """Show the configuration that holds here, complete, as TOML."""
    from mycelial.config.loading import to_toml

    loaded = load_config(config, set_)
    flat = loaded.config.flat()
    if json:
        print_json({key: {"value": value, "origin": loaded.origin[key]} for key, value in flat.items()})
    elif origin:
        width = max(len(f"{key} = {value}") for key, value in flat.items())
        for key, value in flat.items():
            typer.echo(f"{f'{key} = {value}':<{width}}  # {loaded.origin[key]}")
    else:
        typer.echo(to_toml(flat), nl=False)
    note("next: mycelial config explain population.symba.agents")


@app.command()
def check(config: ConfigFiles = None, set_: Settings = None, json: Json = False) -> None:
    """Check the configuration; exit code 4 and the reason when something is wrong."""
    loaded = load_config(config, set_)
    changed = {key: source for key, source in loaded.origin.items() if not source.startswith(("default", "preset "))}
    if json:
        print_json({"ok": True, "preset": loaded.config.population.symba.preset, "set": changed})
    note(f"the configuration is sound: {len(changed)} key(s) set, the rest from the preset and defaults")
    note("next: mycelial sim run --out runs/first")


@app.command()
def explain(
    key: Annotated[str, typer.Argument(help="A key, e.g. population.symba.agents; its last part is enough.")],
    config: ConfigFiles = None,
    set_: Settings = None,
    json: Json = False,
) -> None:
    """Explain one key: what it means, what is allowed, its value here and in every preset."""
    import difflib

    from mycelial.config.schema import keys
    from mycelial.domain.errors import NotFound

    known = keys()
    matches = [name for name in known if name == key] or [name for name in known if name.split(".")[-1] == key]
    if not matches:
        short = {name.split(".")[-1]: name for name in reversed(known)}  # the first of a name stays
        near = difflib.get_close_matches(key.split(".")[-1], short, n=1)
        hint = f"did you mean {short[near[0]]}?" if near else "`mycelial config show` lists the keys there are"
        raise NotFound(f"{key} is not a key; {hint}")
    found = known[matches[0]]
    loaded = load_config(config, set_)
    value, source = loaded.config.flat()[found.name], loaded.origin[found.name]
    if json:
        print_json(
            {
                "key": found.name,
                "meaning": found.why,
                "kind": found.kind,
                "allowed": found.allowed,
                "default": found.default,
                "presets": found.by_preset,
                "value": value,
                "origin": source,
            }
        )
    else:
        lines = {
            "meaning": found.why,
            "allowed": found.allowed if found.allowed == found.kind else f"{found.kind}, {found.allowed}",
            "here": f"{value} ({source})",
            **{f"preset {name}": str(given) for name, given in found.by_preset.items()},
        }
        typer.echo(found.name)
        for title, text in lines.items():
            typer.echo(f"  {title:<18} {text}")
    simulated = found.name.startswith(("seed", "simulation.", "population."))
    note(
        f"next: mycelial sim run --set {found.name}={value} --out runs/first"
        if simulated
        else "next: mycelial config show --origin"
    )


@app.command()
def schema() -> None:
    """Print the JSON schema of mycelial.toml, for editors."""
    from mycelial.config import Config

    print_json(Config.model_json_schema())
    note("next: mycelial config show --origin")

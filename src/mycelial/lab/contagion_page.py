"""The part of a report that shows a toxic policy spreading, without and with the defence."""

from __future__ import annotations

from typing import Any

from mycelial.domain.errors import MissingExtra
from mycelial.lab.report import Section

UNDEFENDED, DEFENDED = "#D55E00", "#0072B2"  # vermilion, blue


def contagion_section(found: dict[str, Any]) -> Section:
    """Return the section of what `contagion_demo` found.

    Raises
    ------
    MissingExtra
        Without plotly.
    """
    try:
        import plotly.graph_objects as go
    except ModuleNotFoundError as error:
        raise MissingExtra("plotly", "report", "the spread of a policy") from error
    figure = go.Figure()
    for name, colour in (("undefended", UNDEFENDED), ("defended", DEFENDED)):
        infected = found[name]["infected"]
        figure.add_scatter(x=list(range(len(infected))), y=infected, name=name, line={"color": colour, "shape": "hv"})
    figure.update_layout(
        xaxis_title="round of gossip",
        yaxis_title="agents infected",
        yaxis_range=[-0.3, found["agents"] + 0.3],
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"t": 20},
    )
    return Section(
        "A toxic policy tries to spread",
        f"{found['attackers']} insiders send {found['agents']} agents a policy that does the opposite of what is "
        "right, and claim enormous returns for it. Without a defence agents average what they are sent; with it they "
        "clip, weigh by trust, test in private worlds before they adopt, and quarantine. One small simulated run, no "
        "campaign.",
        (figure,),
    )


def contagion_line(found: dict[str, Any]) -> str:
    """Return it in one line."""
    said = []
    for name in ("undefended", "defended"):
        one = found[name]
        said.append(
            f"{name}: at most {max(one['infected'])} of {found['agents']} agents, return {one['returns'][0]:.2f} to "
            f"{one['returns'][-1]:.2f}"
        )
    return "; ".join(said)

"""A living crypto market of learning agents, measured against the real one.

Names are resolved on first use, so that `import mycelial` and the command line stay quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from mycelial import facts as facts
    from mycelial.agents.symba.parameters import SymbaParameters as SymbaParameters
    from mycelial.agents.symba.presets import preset as preset
    from mycelial.api import MarketRun as MarketRun
    from mycelial.api import data as data
    from mycelial.api import simulate as simulate
    from mycelial.domain import errors as errors
    from mycelial.environment.making import make_env as make_env
    from mycelial.environment.making import make_vec_env as make_vec_env

_PUBLIC = {
    "MarketRun": "mycelial.api:MarketRun",
    "SymbaParameters": "mycelial.agents.symba.parameters:SymbaParameters",
    "data": "mycelial.api:data",
    "errors": "mycelial.domain.errors",
    "facts": "mycelial.facts",
    "make_env": "mycelial.environment.making:make_env",
    "make_vec_env": "mycelial.environment.making:make_vec_env",
    "preset": "mycelial.agents.symba.presets:preset",
    "simulate": "mycelial.api:simulate",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("mycelial")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mycelial' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    loaded = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded


def __dir__() -> list[str]:
    return sorted(__all__)

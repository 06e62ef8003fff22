"""A living crypto market of learning agents, measured against the real one.

Names are resolved on first use, so that `import mycelial` and the command line stay quick.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as _version

__version__ = _version("mycelial")

_PUBLIC = {
    "errors": "mycelial.domain.errors",
    "facts": "mycelial.facts",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mycelial' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    loaded = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded

"""Files that ship inside the package: which there are, and their text."""

from __future__ import annotations

from importlib.resources import files

from mycelial.domain.errors import NotFound


def packaged_names(package: str, ending: str) -> tuple[str, ...]:
    """Return the names, without `ending`, of a package's files, in order."""
    entries = (entry.name for entry in files(package).iterdir())
    return tuple(sorted(name.removesuffix(ending) for name in entries if name.endswith(ending)))


def packaged_text(package: str, name: str, ending: str, what: str) -> str:
    """Return the text of a package's file.

    Raises
    ------
    NotFound
        If there is none of this name; the message says of `what` there is none and lists those that exist.
    """
    known = packaged_names(package, ending)
    if name not in known:
        raise NotFound(f"there are no {what} {name!r}; choose one of: {', '.join(known)}")
    return files(package).joinpath(name + ending).read_text(encoding="utf-8")

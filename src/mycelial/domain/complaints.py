"""One clear sentence about the first thing wrong in a document that somebody wrote by hand."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def first_problem(problems: Sequence[Any], document: Any, origin: str, known: Iterable[str] = ()) -> str:
    """Return a message that names the file, the key, the value and what to do.

    Parameters
    ----------
    problems : what `pydantic.ValidationError.errors()` returns; the first is told.
    document : what was validated.
    origin : name of the file.
    known : names of fields, from which the nearest is suggested for an unknown one.
    """
    first = problems[0]
    path = [part for part in first["loc"] if isinstance(part, int) or _steps(document, first["loc"], part)]
    key = ".".join(str(part) for part in path)
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), sorted(set(known)), n=1)
        return f"{origin}: {key} is not a key; {f'did you mean {near[0]}?' if near else 'remove it'}"
    if first["type"] == "missing":
        return f"{origin}: {'.'.join(str(part) for part in first['loc'])} is missing; add it"
    reason = first["msg"].removeprefix("Value error, ")
    if not path:  # two tables that contradict each other
        return f"{origin}: {reason}"
    if isinstance(first["input"], Mapping) and first["type"] == "value_error":
        return f"{origin}: {key}: {reason}"
    return f"{origin}: {key} = {_shown(first['input'])}: {reason[:1].lower()}{reason[1:]}"


def _steps(document: Any, path: Sequence[Any], part: str) -> bool:
    """Tell whether `part` is a key of the document and not the name of a union's member."""
    here = document
    for step in path:
        if isinstance(here, Mapping):
            if step in here:
                here = here[step]
            elif step == part:
                return False
        elif isinstance(here, Sequence) and isinstance(step, int) and step < len(here):
            here = here[step]
        if step == part:
            return True
    return True


def _shown(value: Any) -> str:
    text = str(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""The code blocks of a guide, as its reader would run them."""

from __future__ import annotations

import re
from pathlib import Path

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "how_to"


def blocks_of(guide: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)

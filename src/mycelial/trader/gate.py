"""The deployment gate: which evidence each mode needs before a connection may be opened.

No process that trades may connect to an exchange outside of this machine unless a valid stability certificate of the
right class is presented (specification "Safety, market integrity and the deployment gate", section 7). The verifier of
certificates is not built yet, so the gate is shut for every mode but `sim`: unknown counts as unsafe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from mycelial.domain.errors import GateRefused

Mode = Literal["sim", "dry-run", "live"]
CERTIFICATES = "certificates"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that must be presented."""

    name: str
    why: str


_DRY = Evidence("certificate C-DRY", "contagion and stress campaign passed, signed by two keys, at most 30 days old")
_PILOT = Evidence("certificate C-PILOT", "14 days of dry-run without serious incident, divergence in band")
_LIVE = Evidence("certificate C-LIVE", "30 days of pilot, at most 7 days old")
_ENABLE = Evidence("enablement by two persons", "signed for this account, these limits and at most 24 hours")
_DRILLS = Evidence("fresh drills", "kill switch within 7 days, dead man's switch within 24 hours")
NEEDED: dict[Mode, tuple[Evidence, ...]] = {
    "sim": (),
    "dry-run": (_DRY,),
    "live": (_DRY, _PILOT, _LIVE, _ENABLE, _DRILLS),
}


def check_gate(mode: Mode, addresses: Sequence[str]) -> None:
    """Let `sim` through to this machine, and nothing else anywhere.

    Raises
    ------
    GateRefused
        Naming what is missing.
    """
    missing = NEEDED[mode]
    if missing:
        listed = "; ".join(f"{one.name} ({one.why})" for one in missing)
        raise GateRefused(
            f"mode {mode} stays shut: missing {listed}. Nothing in {CERTIFICATES}/ can open it before the gate that "
            "verifies certificates is built; use --mode sim"
        )
    outside = [address for address in addresses if not is_loopback(address)]
    if outside:
        raise GateRefused(
            f"mode sim trades on this machine only, and {outside[0]} is not on it: missing {_DRY.name} ({_DRY.why}); "
            "start `mycelial exchange serve` and give its addresses"
        )


def is_loopback(address: str) -> bool:
    """Tell whether an address leads to this machine, by its number or as localhost; other names are not trusted."""
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

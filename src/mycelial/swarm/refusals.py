"""Why an incoming message was not taken. Every refusal has one reason, and every reason is counted."""

from __future__ import annotations

from enum import StrEnum

from mycelial.domain.errors import MycelialError


class Reason(StrEnum):
    """What was wrong with a message."""

    OVERSIZED = "oversized"  # longer than the protocol allows; not even looked at
    MALFORMED = "malformed"  # lengths, counts or codes that no sender of ours writes
    PROTOCOL = "protocol"  # another protocol version
    EXPIRED = "expired"  # its time to live is over, or it comes from the future
    NOT_ADMITTED = "not admitted"  # the sender is not on the list of this deployment
    QUARANTINED = "quarantined"  # the sender, or the policy itself, is in quarantine
    WRONG_CLASS = "wrong class"  # another architecture, schema or role
    BAD_SIGNATURE = "bad signature"
    OWN = "own"  # our own message came back
    REPLAYED = "replayed"  # seen before
    OUT_OF_ORDER = "out of order"  # older than what we have from this sender
    EQUIVOCATION = "equivocation"  # two contents for one sequence number
    STALE = "stale"  # too many rounds behind our own learning
    NON_FINITE = "non-finite"
    OUT_OF_RANGE = "out of range"  # finite, but absurdly large
    UNKNOWN_BASE = "unknown base"  # a difference to something we do not have; a full copy is asked for
    WRONG_HASH = "wrong hash"  # the decoded vector is not what the sender says it is
    UNPROVEN = "unproven"  # a retraction without a scenario that fails here too
    TOO_FREQUENT = "too frequent"  # more messages than a sender may send in a round


PROOFS_OF_MALICE = frozenset({Reason.EQUIVOCATION, Reason.NON_FINITE, Reason.OUT_OF_RANGE, Reason.WRONG_HASH})
"""What an honest sender never signs; it leads to quarantine. A forged signature proves nothing about the name on it."""


class MessageRefused(MycelialError):
    """A message cannot be taken; `reason` says why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"update refused ({reason}): {detail}")
        self.reason = reason

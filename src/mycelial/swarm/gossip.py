"""One peer as a state machine: local learning in, messages out; messages in, a candidate out; adopt it or not.

    peer.learned(vector, steps)            after local optimiser steps
    for data in peer.offer(now_ns): ...    send to the neighbours
    peer.receive(data, now_ns)             None, or the reason of refusal
    peer.gossip()                          merge, test, adopt: x_i + eta sum_j s_ij W_ij (x_j - x_i), made robust

No sockets and no clock: time and bytes are handed in. A message that is lost leaves its mass on the own vector, one
that comes twice changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.swarm.aggregate.inputs import Inputs, Merge
from mycelial.swarm.aggregate.pipeline import Radius, default_pipeline, gate_radius
from mycelial.swarm.aggregate.rules import merge
from mycelial.swarm.blocks import BlockTable
from mycelial.swarm.gate import Gate, Verdict
from mycelial.swarm.identity import Identity
from mycelial.swarm.inbox import Inbox
from mycelial.swarm.lineage import Lineage, Snapshots
from mycelial.swarm.membership import Membership
from mycelial.swarm.messages import LINEAGE_BYTES, MAX_PARENTS, Evidence, Kind, content_hash
from mycelial.swarm.outbox import Heading, Outbox
from mycelial.swarm.payloads import Intent, Retraction, Scalars, write_intent, write_retraction, write_scalars
from mycelial.swarm.refusals import MessageRefused, Reason
from mycelial.swarm.settings import DEFAULT_RULE, GossipSettings
from mycelial.swarm.trust import MergeBudget, Reputation

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Candidate:
    """A vector that might be adopted.

    Parameters
    ----------
    vector : float32[P]
    change : float32[F]
        What is added to the federated part, gossip step included.
    senders : tuple of bytes
        Neighbours that were looked at.
    policies : tuple of bytes
        Their policies.
    shares : float64[m]
        Share of each in the vector.
    """

    vector: Vector
    change: Vector
    senders: tuple[bytes, ...]
    policies: tuple[bytes, ...]
    shares: NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What a round of `gossip` came to.

    Parameters
    ----------
    adopted : bool
    candidate : Candidate or None
        The adopted one.
    verdicts : tuple of Verdict
        Of the gate, one for each candidate tried.
    """

    adopted: bool
    candidate: Candidate | None
    verdicts: tuple[Verdict, ...] = ()


class Peer:
    """A member of the swarm.

    Parameters
    ----------
    identity : Identity
    membership : Membership
        Its own; peers share nothing but bytes.
    table : BlockTable
    class_hash : bytes
        See `BlockTable.compatibility`.
    vector : float32[P]
        Parameters to start with.
    settings : GossipSettings, optional
    gate : Gate, optional
        The private test of candidates; without it all are adopted.
    loss : callable, optional
        Loss of a whole vector on own samples, for the rule UBAR.
    prove : callable, optional
        (retraction, vector or None) to whether the scenario fails here too; without it nobody's retraction is honoured.
    """

    def __init__(
        self,
        identity: Identity,
        membership: Membership,
        table: BlockTable,
        class_hash: bytes,
        vector: Vector,
        settings: GossipSettings | None = None,
        *,
        gate: Gate | None = None,
        loss: Callable[[Vector], float] | None = None,
        prove: Callable[[Retraction, Vector | None], bool] | None = None,
    ) -> None:
        if vector.shape != (table.size,):
            raise ConfigError(f"the vector has shape {vector.shape}, its block table says ({table.size},)")
        self.settings = settings or GossipSettings()
        self.identity, self.membership, self.table = identity, membership, table
        self.gate, self._loss, self._prove = gate, loss, prove
        self.vector = np.array(vector, np.float32)
        self.steps = self.round = 0
        self.reputation, self.budget = Reputation(), MergeBudget()
        self.lineage, self.snapshots = Lineage(), Snapshots()
        self.inbox = Inbox(identity.public, membership, table, class_hash, self.settings)
        self.outbox = Outbox(identity, table, class_hash, self.settings)
        self.scalars: dict[tuple[bytes, int], Scalars] = {}
        self.intents: dict[bytes, Intent] = {}
        self.evidence = Evidence()
        self.rolled_back = 0
        self._radius = Radius()
        self._step: Vector | None = None
        self._centre: Vector | None = None
        self._parents: dict[bytes, float] = {}
        self._requests: list[bytes] = []
        self._whole = False

    @property
    def public(self) -> bytes:
        """The peer's name."""
        return self.identity.public

    @property
    def refused(self) -> Counter[Reason]:
        """How many messages were refused, by reason."""
        return self.inbox.refused

    def meet(self, neighbours: Mapping[bytes, int]) -> None:
        """Take this epoch's neighbours and their numbers of neighbours; new ones are sent the whole vector next."""
        self._whole = self._whole or not neighbours.keys() <= self.membership.neighbours.keys()
        self.membership.meet(neighbours)

    def learned(self, vector: Vector, steps: int, evidence: Evidence | None = None) -> None:
        """Take the parameters after local learning, and the optimiser steps made so far."""
        self._step = self.table.gather(vector) - self.table.gather(self.vector)
        self.vector, self.steps = np.array(vector, np.float32), steps
        if evidence is not None:
            self.evidence = evidence

    def offer(self, now_ns: int) -> list[bytes]:
        """Start a round: return the messages for all neighbours, own parameters first, then requests."""
        self.round += 1
        self.inbox.next_round()
        parents = tuple(sorted(self._parents, key=lambda name: -self._parents[name])[:MAX_PARENTS])
        heading = Heading(self.round, self.steps, now_ns, parents, self.evidence)
        whole, self._whole = self._whole, False
        messages = [self.outbox.policy_message(self.table.gather(self.vector), heading, whole=whole)]
        self.lineage.add(self.outbox.policy, self.public, parents)
        self.snapshots.keep(self.outbox.policy, self.vector)
        self._parents.clear()
        plain = Heading(self.round, self.steps, now_ns)
        messages += [self.outbox.message(Kind.REQUEST, peer, plain) for peer in dict.fromkeys(self._requests)]
        self._requests.clear()
        return messages

    def say(self, body: Scalars | Intent | Retraction, now_ns: int) -> bytes:
        """Return a message with scalars, an announced action or a retraction."""
        heading = Heading(self.round, self.steps, now_ns)
        if isinstance(body, Scalars):
            return self.outbox.message(Kind.SCALARS, write_scalars(body), heading)
        if isinstance(body, Intent):
            return self.outbox.message(Kind.INTENT, write_intent(body), heading)
        return self.outbox.message(Kind.RETRACT, write_retraction(body), heading)

    def receive(self, data: bytes, now_ns: int) -> Reason | None:
        """Take a message; return why not, or nothing if it was taken. Never raises for anything a peer sends."""
        try:
            message, body = self.inbox.receive(data, now_ns, self.steps)
            if isinstance(body, Retraction):
                self._retract(body)
        except MessageRefused as refusal:
            if refusal.reason is Reason.UNKNOWN_BASE:
                self._requests.append(decode_sender(data))
            return refusal.reason
        if isinstance(body, Scalars):
            self.scalars[message.sender, body.topic] = body
        elif isinstance(body, Intent):
            self.intents[message.sender] = body
        elif isinstance(body, bytes):
            self._whole = self._whole or body == self.public
        elif isinstance(body, np.ndarray):
            self.lineage.add(message.policy, message.sender, message.parents)
        return None

    def candidate(self) -> Candidate | None:
        """Return the merge of what is known of the neighbours; nothing without any usable update.

        Moves the adaptive radius on, so call it once a round.
        """
        senders = [peer for peer in self.membership.neighbours if self._weight(peer) > 0.0]
        if not senders:
            return None
        inputs = self._inputs(senders)
        inputs = replace(inputs, radius=self._radius.observe(inputs.norms))
        if self.settings.rule == DEFAULT_RULE:
            merged = default_pipeline(inputs, self.settings.rule_settings)
            for sender, norm in zip(senders, inputs.norms, strict=True):
                if norm > gate_radius(inputs, self.settings.rule_settings):
                    self.reputation.note(sender, useful=False)
        else:
            merged = merge(self.settings.rule, inputs, self.settings.rule_settings)
        if self.settings.rule == "centred-clipping":
            self._centre = inputs.own + merged.change
        return self._candidate(inputs, senders, merged, self.settings.step)

    def alternatives(self, first: Candidate) -> list[Candidate]:
        """Return what to try when the merge fails the gate: the most promising neighbour alone, and half the step."""
        others = []
        used = [k for k, share in enumerate(first.shares) if share > 0.0]
        if len(used) > 1:
            best = first.senders[max(used, key=lambda k: self._promise(first.senders[k]))]
            inputs = self._inputs([best])
            inputs = replace(inputs, radius=self._radius.value)
            alone = merge("clipped", inputs, self.settings.rule_settings)
            others.append(self._candidate(inputs, [best], alone, self.settings.step))
        federated = self.table.gather(self.vector) + np.float32(0.5) * first.change
        others.append(
            replace(
                first,
                vector=self.table.scatter(self.vector, federated),
                change=np.float32(0.5) * first.change,
                shares=0.5 * first.shares,
            )
        )
        return others

    def adopt(self, candidate: Candidate) -> None:
        """Make a candidate the own vector; book its ancestry, its budget and its senders' usefulness."""
        self.vector = np.array(candidate.vector, np.float32)
        for policy, share in zip(candidate.policies, candidate.shares, strict=True):
            if share > 0.0:
                self._parents[policy] = self._parents.get(policy, 0.0) + float(share)
        self.budget.book(candidate.shares, candidate.senders, self._masses(candidate.policies))
        for sender, share in zip(candidate.senders, candidate.shares, strict=True):
            if share > 0.0:
                self.reputation.note(sender, useful=True)

    def gossip(self) -> Outcome:
        """Merge, test and adopt once."""
        first = self.candidate()
        if first is None:
            return Outcome(False, None)
        if self.gate is None:
            self.adopt(first)
            return Outcome(True, first)
        tried = [first, *self.alternatives(first)]
        chosen, verdicts = self.gate.choose(self.vector, [option.vector for option in tried])
        for option, verdict in zip(tried, verdicts, strict=False):
            if verdict is not Verdict.ACCEPTED and len(option.senders) == 1:
                self.reputation.note(option.senders[0], useful=False)
        if chosen is None:
            return Outcome(False, None, tuple(verdicts))
        self.adopt(tried[chosen])
        return Outcome(True, tried[chosen], tuple(verdicts))

    def roll_back(self, toxic: set[bytes]) -> bool:
        """Return to the newest own snapshot that descends from none of the policies, if the own vector does."""
        mine = self._parents.keys() | ({self.outbox.policy} if self.outbox.policy else set())
        if not any(self.lineage.descends_from(policy, toxic) for policy in mine):
            return False
        found = self.snapshots.last_free_of(toxic, self.lineage)
        if found is None:
            return False
        self.vector = found[1]
        self._parents.clear()
        self.rolled_back += 1
        return True

    def _retract(self, retraction: Retraction) -> None:
        """Honour a retraction whose scenario fails here too: quarantine the policy and its publisher, roll back."""
        policy = retraction.policy[:LINEAGE_BYTES]
        vector = next((known.estimate for known in self.inbox.known.values() if known.policy == policy), None)
        whole = None if vector is None else self.table.scatter(self.vector, vector)
        if self._prove is None or not self._prove(retraction, whole):
            self.inbox.refused[Reason.UNPROVEN] += 1
            raise MessageRefused(Reason.UNPROVEN, f"policy {policy.hex()[:12]} does not fail here")
        self.inbox.toxic.add(policy)
        if policy in self.lineage:
            self.membership.quarantine(self.lineage[policy].origin, "published a retracted policy")
        for known in self.inbox.known.values():
            if known.estimate is not None and self.lineage.descends_from(known.policy, {policy}):
                known.estimate, known.estimate_hash = None, bytes(32)
        self.roll_back(self.inbox.toxic)

    def _promise(self, peer: bytes) -> tuple[float, float]:
        """Return what orders neighbours: own experience with them; what they claim only among equals."""
        return round(self.reputation.trust(peer), 1), self.inbox.known[peer].evidence.lower

    def _weight(self, peer: bytes) -> float:
        """Return W_ij times staleness times trust, or 0."""
        known = self.inbox.known.get(peer)
        weight = self.membership.weight(peer)
        if known is None or known.estimate is None or weight == 0.0:
            return 0.0
        age = max(0.0, (self.steps - known.steps) / self.settings.local_steps)
        if age > self.settings.max_age:
            return 0.0
        weight *= (1.0 + age) ** -self.settings.age_power
        return weight * self.reputation.trust(peer) if self.settings.use_trust else weight

    def _inputs(self, senders: list[bytes]) -> Inputs:
        estimates = [self.inbox.known[peer].estimate for peer in senders]
        received = np.stack([estimate for estimate in estimates if estimate is not None])
        own = self.table.gather(self.vector)
        if self.settings.compression == "top-k" and self.outbox.public is not None:
            own = self.outbox.public  # both sides as far behind as each other (CHOCO)
        total = self.settings.total_rounds
        losses, own_loss = None, 0.0
        if self._loss is not None and self.settings.rule == "ubar":
            losses = np.array([self._loss(self.table.scatter(self.vector, row)) for row in received])
            own_loss = self._loss(self.vector)
        return Inputs(
            own,
            received,
            np.array([self._weight(peer) for peer in senders]),
            progress=min(1.0, self.round / total) if total else 0.0,
            step=self._step,
            start=self._centre,
            losses=losses,
            own_loss=own_loss,
        )

    def _candidate(self, inputs: Inputs, senders: list[bytes], merged: Merge, step: float) -> Candidate:
        """Apply the caps and the gossip step to what a rule answered."""
        policies = tuple(self.inbox.known[peer].policy for peer in senders)
        shares, change = step * merged.shares, np.float32(step) * merged.change
        if self.settings.use_caps:
            capped = self.budget.cap(shares, senders, self._masses(policies))
            lost = (capped - shares).astype(np.float32)
            if lost.any():  # linear rules: exact; rules by coordinate: the part of a sender that is over is taken back
                change = change + lost @ inputs.deltas
                shares = capped
        vector = self.table.scatter(self.vector, self.table.gather(self.vector) + change)
        return Candidate(vector, change, tuple(senders), policies, shares)

    def _masses(self, policies: tuple[bytes, ...]) -> list[dict[bytes, float]]:
        """Return who is in each policy, ourselves left out: own ancestry coming home is no danger."""
        masses = []
        for policy in policies:
            mass = self.lineage[policy].mass if policy in self.lineage else {}
            masses.append({name: share for name, share in mass.items() if name != self.public})
        return masses


def decode_sender(data: bytes) -> bytes:
    """Return the sender named in the bytes of a message that was decoded before."""
    return data[2:34]


def policy_of(vector: Vector) -> bytes:
    """Return the 16-byte name of a federated vector."""
    return content_hash(vector)[:LINEAGE_BYTES]

"""How peers share: parameters are float32 vectors, never networks. No sockets, no clock."""

from mycelial.swarm.blocks import Block as Block
from mycelial.swarm.blocks import BlockTable as BlockTable
from mycelial.swarm.gate import Gate as Gate
from mycelial.swarm.gate import GateSettings as GateSettings
from mycelial.swarm.gate import Trial as Trial
from mycelial.swarm.gossip import Candidate as Candidate
from mycelial.swarm.gossip import Outcome as Outcome
from mycelial.swarm.gossip import Peer as Peer
from mycelial.swarm.identity import Identity as Identity
from mycelial.swarm.membership import Membership as Membership
from mycelial.swarm.messages import Evidence as Evidence
from mycelial.swarm.messages import Kind as Kind
from mycelial.swarm.push_sum import PushSum as PushSum
from mycelial.swarm.refusals import Reason as Reason
from mycelial.swarm.settings import GossipSettings as GossipSettings
from mycelial.swarm.topology import Topology as Topology

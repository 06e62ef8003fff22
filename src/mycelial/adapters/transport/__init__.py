"""How gossip travels: in memory within a process, through Redis between processes. Both keep the same contract."""

from mycelial.adapters.transport.memory import MemoryHub as MemoryHub
from mycelial.adapters.transport.unreliable import Unreliable as Unreliable

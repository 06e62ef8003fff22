"""Rules that merge what peers sent: robust ones, their parts, and a whole swarm's round at once."""

from mycelial.swarm.aggregate.inputs import Inputs as Inputs
from mycelial.swarm.aggregate.inputs import Merge as Merge
from mycelial.swarm.aggregate.inputs import Settings as Settings
from mycelial.swarm.aggregate.pipeline import Radius as Radius
from mycelial.swarm.aggregate.pipeline import default_pipeline as default_pipeline
from mycelial.swarm.aggregate.rules import RULES as RULES
from mycelial.swarm.aggregate.rules import merge as merge
from mycelial.swarm.aggregate.swarm_round import clipped_round as clipped_round

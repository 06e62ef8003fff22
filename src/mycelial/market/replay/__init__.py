"""Trade against a recorded market."""

from mycelial.market.replay.session import Replay as Replay
from mycelial.market.replay.session import ReplayRules as ReplayRules

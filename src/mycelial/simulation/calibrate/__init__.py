"""Find the parameters of a market that look like a real one: spaces, objective, search, analysis. Pure.

Studies on disk, workers and reports are `mycelial.lab.calibration*`'s work.
"""

from __future__ import annotations

from .objective import Objective as Objective
from .objective import Rung as Rung
from .search import propose as propose
from .space import Dimension as Dimension
from .space import Space as Space
from .space import named_space as named_space
from .split import Split as Split
from .split import named_seeds as named_seeds
from .split import split_coins as split_coins
from .trial import Trial as Trial

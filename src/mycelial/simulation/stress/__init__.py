"""Stress scenarios applied to a living market, and what they did to its stability."""

from mycelial.simulation.stress.figures import FIGURES as FIGURES
from mycelial.simulation.stress.figures import stability_of as stability_of
from mycelial.simulation.stress.market import StressedMarket as StressedMarket
from mycelial.simulation.stress.probe import Probe as Probe
from mycelial.simulation.stress.probe import Samples as Samples
from mycelial.simulation.stress.trial import Trial as Trial
from mycelial.simulation.stress.trial import TrialResult as TrialResult
from mycelial.simulation.stress.trial import run_trial as run_trial

"""Agents of the intraday market: many kinds, one array of rows, compiled decisions."""

from mycelial.agents.intraday.config import KINDS as KINDS
from mycelial.agents.intraday.config import PopulationConfig as PopulationConfig
from mycelial.agents.intraday.presets import PRESETS as PRESETS
from mycelial.agents.intraday.presets import preset as preset

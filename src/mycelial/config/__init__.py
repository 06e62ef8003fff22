"""Configuration: what may be set, and where each value came from."""

from mycelial.config.loading import Loaded as Loaded
from mycelial.config.loading import load as load
from mycelial.config.schema import Config as Config

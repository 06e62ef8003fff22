"""Runs on disk: recorded under their name only when complete, found, and read back."""

from mycelial.adapters.runs.layout import MARKET_SCHEMA as MARKET_SCHEMA
from mycelial.adapters.runs.manifest import Run as Run
from mycelial.adapters.runs.manifest import find_runs as find_runs
from mycelial.adapters.runs.manifest import is_market as is_market
from mycelial.adapters.runs.manifest import read_run as read_run
from mycelial.adapters.runs.reading import read_learning as read_learning
from mycelial.adapters.runs.reading import read_sample as read_sample
from mycelial.adapters.runs.writing import RunWriter as RunWriter
from mycelial.adapters.runs.writing import new_folder as new_folder
from mycelial.adapters.runs.writing import new_run as new_run
from mycelial.adapters.runs.writing import write_manifest as write_manifest

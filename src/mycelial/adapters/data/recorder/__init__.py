"""Record the public WebSocket v2 of Kraken, or of anything that speaks it, into logs that replay and parquet."""

from mycelial.adapters.data.recorder.connection import record as record
from mycelial.adapters.data.recorder.plan import RecordingPlan as RecordingPlan
from mycelial.adapters.data.recorder.plan import Tally as Tally

"""Markets as environments: observations, actions, rewards; one book or many."""

from mycelial.environment.config import AfterEvents as AfterEvents
from mycelial.environment.config import EnvConfig as EnvConfig
from mycelial.environment.config import Episode as Episode
from mycelial.environment.config import Every as Every
from mycelial.environment.config import Observed as Observed
from mycelial.environment.config import OwnEvent as OwnEvent
from mycelial.environment.config import QuotePair as QuotePair
from mycelial.environment.config import RawRecords as RawRecords
from mycelial.environment.config import Reward as Reward
from mycelial.environment.config import Templates as Templates
from mycelial.environment.making import make_env as make_env
from mycelial.environment.making import make_vec_env as make_vec_env
from mycelial.environment.presets import names as names
from mycelial.environment.presets import preset as preset
from mycelial.environment.schema import Schema as Schema
from mycelial.environment.schema import schema_of as schema_of

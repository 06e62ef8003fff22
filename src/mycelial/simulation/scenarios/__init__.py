"""Stress scenarios as data: a catalogue of historical shocks, X01 to X10, made of injections that can be combined."""

from __future__ import annotations

from .conditions import Conditions as Conditions
from .conditions import boundaries as boundaries
from .conditions import concerns as concerns
from .conditions import conditions as conditions
from .feed_faults import Delivery as Delivery
from .feed_faults import FaultyFeed as FaultyFeed
from .injections import KINDS as KINDS
from .injections import Depeg as Depeg
from .injections import Drought as Drought
from .injections import FatFinger as FatFinger
from .injections import FeedFault as FeedFault
from .injections import ForcedLiquidation as ForcedLiquidation
from .injections import Injection as Injection
from .injections import LatencyStorm as LatencyStorm
from .injections import LimitExhaustion as LimitExhaustion
from .injections import Outage as Outage
from .injections import RegimeSwitch as RegimeSwitch
from .injections import Sweep as Sweep
from .injections import VolumeShareSeller as VolumeShareSeller
from .loading import pick as pick
from .loading import stress_test as stress_test
from .loading import stress_test_from_mapping as stress_test_from_mapping
from .loading import stress_test_from_text as stress_test_from_text
from .loading import stress_test_names as stress_test_names
from .scenario import Scenario as Scenario
from .scenario import StressTest as StressTest

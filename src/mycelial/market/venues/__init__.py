"""Rules of real exchanges as data: pairs, fees, limits, accepted orders; each figure with its source and date."""

from __future__ import annotations

from .loading import packaged_venue as packaged_venue
from .loading import venue_from_mapping as venue_from_mapping
from .loading import venue_from_text as venue_from_text
from .loading import venue_names as venue_names
from .rules import FeeSchedule as FeeSchedule
from .rules import FeeTier as FeeTier
from .rules import Pair as Pair
from .rules import Source as Source
from .rules import Venue as Venue

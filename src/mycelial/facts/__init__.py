"""What a realistic market looks like: stylised facts of a panel and distances between panels. Pure: arrays in."""

from __future__ import annotations

from .checklist import Check as Check
from .checklist import check as check
from .compare import PreparedStatistics as PreparedStatistics
from .compare import compare as compare
from .compare import distances as distances
from .compare import normalised_distance as normalised_distance
from .compare import prepare as prepare
from .compare import real_versus_real as real_versus_real
from .compare import two_halves as two_halves
from .distance import Distance as Distance
from .packaged import packaged_reference as packaged_reference
from .panel import Panel as Panel
from .reference import ReferenceFigures as ReferenceFigures
from .reference import build_reference as build_reference
from .statistics import DISTANCE_KEYS as DISTANCE_KEYS
from .statistics import STATISTICS as STATISTICS
from .statistics import samples as samples
from .summary import Summary as Summary
from .summary import summarise as summarise

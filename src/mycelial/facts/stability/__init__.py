"""Whether a market is stable: turbulence, liquidity, impact, efficiency and herding, and their comparison between runs.

Pure functions of arrays, for simulated and recorded markets alike (safety specification §5). Times are int64 ns.
"""

from __future__ import annotations

from .efficiency import PricingError as PricingError
from .efficiency import VarianceRatio as VarianceRatio
from .efficiency import basis_half_life as basis_half_life
from .efficiency import mean_reversion_half_life as mean_reversion_half_life
from .efficiency import pricing_error as pricing_error
from .efficiency import tracking_error as tracking_error
from .efficiency import variance_ratio as variance_ratio
from .herding import action_correlation as action_correlation
from .herding import effective_agents as effective_agents
from .herding import gross_to_net as gross_to_net
from .herding import liquidation_overlap as liquidation_overlap
from .herding import liquidation_reach as liquidation_reach
from .herding import lsv_herding as lsv_herding
from .herding import mean_pairwise_correlation as mean_pairwise_correlation
from .herding import withdrawal_correlation as withdrawal_correlation
from .impact import Slope as Slope
from .impact import flow_by_interval as flow_by_interval
from .impact import kyle_lambda as kyle_lambda
from .impact import metaorder_exponent as metaorder_exponent
from .impact import newey_west as newey_west
from .impact import order_flow_imbalance as order_flow_imbalance
from .impact import vpin as vpin
from .liquidity import amihud as amihud
from .liquidity import cost_to_trade_bp as cost_to_trade_bp
from .liquidity import depth_within as depth_within
from .liquidity import effective_spread_bp as effective_spread_bp
from .liquidity import quoted_spread_bp as quoted_spread_bp
from .liquidity import realised_spread_bp as realised_spread_bp
from .liquidity import resilience_half_life_s as resilience_half_life_s
from .liquidity import supplied_share as supplied_share
from .paired import Comparison as Comparison
from .paired import paired_difference as paired_difference
from .paired import paired_ratio as paired_ratio
from .turbulence import FlashCrash as FlashCrash
from .turbulence import branching_ratio as branching_ratio
from .turbulence import crashes_per_1000_hours as crashes_per_1000_hours
from .turbulence import flash_crashes as flash_crashes
from .turbulence import marginal_contributions as marginal_contributions
from .turbulence import realised_variance as realised_variance
from .turbulence import sampled_shapley as sampled_shapley

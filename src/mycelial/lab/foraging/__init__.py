"""Level-based foraging, compiled: the rules of the package `lbforaging` 2.0 for many books at once."""

from mycelial.lab.foraging.task import ForagingTask as ForagingTask
from mycelial.lab.foraging.task import World as World
from mycelial.lab.foraging.task import layout_keys as layout_keys

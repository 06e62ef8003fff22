"""`make_env` and `make_vec_env`: an environment by name, or from a configuration of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mycelial.domain.errors import ConfigError
from mycelial.environment.config import EnvConfig, Form
from mycelial.environment.presets import preset

if TYPE_CHECKING:
    from mycelial.environment.parallel import MarketParallelEnv
    from mycelial.environment.single import MarketEnv
    from mycelial.environment.vector import MarketVectorEnv


def make_env(
    name: str | EnvConfig, *, agents: int = 1, parallel: bool = False, observation: Form = "flat", **settings: Any
) -> MarketEnv | MarketParallelEnv:
    """Return a Gymnasium environment for one learning agent, a PettingZoo Parallel one for several.

    Parameters
    ----------
    name : such as ``kraken-btcusd`` (see `presets.names`), or a configuration.
    agents : learning agents.
    parallel : PettingZoo for a single agent as well.
    observation : ``flat`` or ``dict``
    **settings : as `preset` takes them: `population`, `reference_price`, or any field of `EnvConfig`.

    Raises
    ------
    NotFound
        If there is no environment of that name; the nearest is suggested.
    MissingExtra
        If gymnasium or pettingzoo is not installed.
    """
    config = _configured(name, settings)
    if agents == 1 and not parallel:
        from mycelial.environment.single import MarketEnv

        return MarketEnv(config, observation=observation)
    from mycelial.environment.parallel import MarketParallelEnv

    return MarketParallelEnv(config, agents, observation=observation)


def make_vec_env(
    name: str | EnvConfig,
    *,
    agents: int = 1,
    books: int = 8,
    threads: int = 1,
    autoreset: str = "next_step",
    observation: Form = "flat",
    **settings: Any,
) -> MarketVectorEnv:
    """Return a Gymnasium vector environment of `books` markets with `agents` learning agents each; see `make_env`."""
    config = _configured(name, settings)
    from mycelial.environment.vector import MarketVectorEnv

    return MarketVectorEnv(config, books, agents=agents, threads=threads, autoreset=autoreset, observation=observation)


def _configured(name: str | EnvConfig, settings: dict[str, Any]) -> EnvConfig:
    if isinstance(name, str):
        return preset(name, **settings)
    if settings:
        raise ConfigError(f"environment: a whole configuration is given; put {', '.join(settings)} into it instead")
    return name

"""The training loop: live a segment, learn from it, repeat; stop anywhere and go on to the same last bit.

Every random number is a function of the root seed and of how far training is, so nothing of a generator has to be
saved. Decisions are made by the kernels that run exported policies; learning is done by the library of choice.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError, DataError, NotFound
from mycelial.domain.seeds import generator, stream_key
from mycelial.learning.batch import Learner, Segment, Weights
from mycelial.learning.forward import act_many, scratch_size
from mycelial.learning.haven import HavenTeam, Upper, team_of
from mycelial.learning.hyper import Hyper
from mycelial.learning.leading import Leading, LearningToLead
from mycelial.learning.networks import Architecture, first_weights
from mycelial.learning.policy import Team, figures_of, prepared, with_identity, write_whole
from mycelial.learning.replay import Replay, joined
from mycelial.learning.scaling import RewardScale, merge_moments
from mycelial.learning.stacking import Stacked
from mycelial.learning.task import Arrays, Floats, Observation, Resumable, TeamTask

FORMAT = "mycelial-training-1"
_SHIFT = 0.1  # relative change of a vector above which first moments are forgotten


class Trainer:
    """Trains one team on one task.

    Parameters
    ----------
    task : TeamTask
    hyper : Hyper
    seed : int
        Root of exploration, minibatches and episodes.
    family_seed : int
        Root of the first weights; agents that are to be mixed need the same one.
    """

    def __init__(self, task: TeamTask, hyper: Hyper, seed: int, *, family_seed: int = 0) -> None:
        self.task = task if hyper.frames == 1 else Stacked(task, hyper.frames)
        self.hyper, self.seed = hyper, seed
        self.shares = hyper.sharing == "group" and task.agents > 1
        self._upper = None
        if hyper.coordination == "haven":
            self._upper = Upper(self.task.observation_size, task.agents, hyper, seed, family_seed)
        appended = (task.agents if self.shares else 0) + (hyper.macros if self._upper else 0)
        self.architecture = Architecture(
            self.task.observation_size + appended,
            task.actions,
            hyper.hidden,
            hyper.memory,
            hyper.normalise,
            peers=task.agents - 1 if hyper.depth else 0,
            frames=hyper.frames,
            cost_weight=hyper.cost_weight,
        )
        self.steps = self.rounds = 0
        self.metrics: dict[str, float] = {}
        self._learner = None if hyper.depth else _learner(self.architecture, hyper, task.agents)
        self._leading = _leading(self.architecture, hyper, task.agents) if hyper.depth else None
        vector = first_weights(self.architecture, family_seed)
        self._weights = Weights.start(np.repeat(vector[None], 1 if self.shares else task.agents, 0))
        self._figures = figures_of(self.architecture)
        self._scratch = np.zeros(scratch_size(self._figures), np.float32)
        self._replay = Replay(hyper.replay) if hyper.replay else None
        self._scale = RewardScale(task.books, hyper.gamma)
        self._returns = np.zeros(task.books, np.float64)  # of the episodes under way
        self._memory = np.zeros((task.books, task.agents, self.architecture.memory_size), np.float32)
        self._checkpoint_at = hyper.checkpoint
        self._see(self.task.reset(_episode_seed(seed, 0)))

    def advance(self, steps: int) -> dict[str, float]:
        """Train for at least `steps` environment steps (a step of one book is one); return `metrics`."""
        until = self.steps + steps
        while self.steps < until:
            fresh = self._live()
            self._learn(fresh)
            if self.steps >= self._checkpoint_at and not isinstance(self.task, Resumable):
                self._see(self.task.reset(_episode_seed(self.seed, self.steps)))
                self._memory[:] = 0.0
                self._returns[:] = 0.0
            while self.steps >= self._checkpoint_at:
                self._checkpoint_at += self.hyper.checkpoint
        return self.metrics

    def parameters(self) -> Floats:
        """Return a copy of float32[N, P]; one row when the team shares its weights."""
        return self._weights.online.copy()

    def set_parameters(self, vectors: Floats, *, weight: Floats | None = None) -> None:
        """Take on mixed parameters float32[N, P].

        The target network moves by as much as the online one (otherwise what is bootstrapped from would jump). Second
        moments stay; first moments of a member that moved by more than 10 % are forgotten.
        """
        vectors = np.asarray(vectors, np.float32)
        old = self._weights
        if vectors.shape != old.online.shape:
            raise DataError(f"parameters of shape {vectors.shape} do not fit this team of {old.online.shape}")
        if not np.isfinite(vectors).all():
            raise DataError("parameters hold a figure that is not finite; nothing was changed")
        change = vectors - old.online
        size = np.linalg.norm(old.online, axis=1) + 1e-12
        moved = np.linalg.norm(change, axis=1) / size > _SHIFT
        first = np.where(moved[:, None], np.float32(0), old.first)
        self._weights = old._replace(online=vectors.copy(), target=old.target + change, first=first)

    def decider(self, **provenance: Any) -> Team | HavenTeam:
        """Return what decides as training does now: the team, with its upper level where it has one."""
        if self._upper is not None:
            return team_of(self._upper, self.architecture, self.parameters(), provenance)
        return self.team(**provenance)

    def team(self, **provenance: Any) -> Team:
        """Return the team as it is now, ready to decide without this trainer (its lower level, where it has two)."""
        return Team(
            self.architecture, self.parameters(), self.task.agents, provenance, self.hyper.depth, self.hyper.temperature
        )

    def policies(self) -> list[Any]:
        """Return every member's policy."""
        team = self.team()
        return [team.member(n) for n in range(self.task.agents)]

    def checkpoint(self, path: Path, **notes: Any) -> None:
        """Write everything the future depends on to one file, wholly or not at all; `notes` come back on resuming."""
        arrays: Arrays = {f"weights.{name}": np.asarray(value) for name, value in self._weights._asdict().items()}
        arrays |= {f"scale.{name}": value for name, value in self._scale.snapshot().items()}
        arrays |= {"returns": self._returns, "memory": self._memory}
        if self._leading is not None:
            arrays["surprise"] = np.array([self._leading.learner.surprise, self._leading.learner.risen])
        if self._upper is not None:
            arrays |= {f"upper.{name}": value for name, value in self._upper.snapshot().items()}
        if self._replay is not None and self._replay.size:
            arrays |= {f"replay.{name}": value for name, value in self._replay.snapshot().items()}
        if isinstance(self.task, Resumable):
            arrays |= {f"task.{name}": value for name, value in self.task.snapshot().items()}
        about = {
            "format": FORMAT,
            "hyper": self.hyper.to_dict(),
            "seed": self.seed,
            "steps": self.steps,
            "rounds": self.rounds,
            "checkpoint_at": self._checkpoint_at,
            "metrics": self.metrics,
            "notes": notes,
        }
        packed = io.BytesIO()
        np.savez(packed, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
        write_whole(path, packed.getvalue())

    def resume(self, path: Path) -> dict[str, Any]:
        """Take up a checkpoint of the same task, numbers and seed; return the notes written with it.

        A task that is not `Resumable` must have been put away right at a checkpoint (`Hyper.checkpoint`).
        """
        if not path.is_file():
            raise NotFound(f"checkpoint {path} does not exist")
        try:
            with np.load(path, allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
            about = json.loads(arrays.pop("about").tobytes())
            if about["format"] != FORMAT:
                raise DataError(f"checkpoint {path} is of format {about['format']}, this version reads {FORMAT}")
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise DataError(f"checkpoint {path} cannot be read ({error}); delete it and begin anew") from error
        if (about["hyper"], about["seed"]) != (self.hyper.to_dict(), self.seed):
            raise DataError(f"checkpoint {path} belongs to a training with other numbers; delete it or use its own")
        self.steps, self.rounds = about["steps"], about["rounds"]
        self._checkpoint_at, self.metrics = about["checkpoint_at"], about["metrics"]
        rooms = {room: _room(arrays, room) for room in ("weights", "scale", "replay", "task", "upper")}
        online, target, first, second, updates = (rooms["weights"][name] for name in Weights._fields)
        self._weights = Weights(online, target, first, second, int(updates))
        self._scale.restore(rooms["scale"])
        self._returns, self._memory = arrays["returns"], arrays["memory"]
        if self._leading is not None:
            surprise, risen = arrays["surprise"]
            self._leading.learner.surprise, self._leading.learner.risen = float(surprise), int(risen)
        if self._replay is not None and rooms["replay"]:
            self._replay.restore(rooms["replay"])
        if isinstance(self.task, Resumable):
            self._see(self.task.restore(rooms["task"]))
        else:
            self._see(self.task.reset(_episode_seed(self.seed, self.steps)))
        if self._upper is not None:
            self._upper.restore(rooms["upper"])
            self._obs[:, :, self._upper.seen :] = np.eye(self.hyper.macros)[self._upper.macro]
        return dict(about["notes"])

    def _see(self, seen: Observation) -> None:
        if self._upper is not None:
            self._upper.begin(seen.obs, self.hyper.epsilon(self.steps), self.steps)
        self._obs, self._mask = self._told(seen.obs), seen.mask.copy()

    def _told(self, obs: Floats) -> Floats:
        if self._upper is not None:
            return self._upper.told(obs)
        return with_identity(obs) if self.shares else np.array(obs, np.float32, order="C")

    def _live(self) -> Segment:
        """Let every book live a segment."""
        hyper, task = self.hyper, self.task
        steps, books, agents = hyper.segment, task.books, task.agents
        o, u = self.architecture.observation_size, task.actions
        segment = Segment(
            np.empty((steps, books, agents, o), np.float32),
            np.empty((steps, books, agents), np.int32),
            np.empty((steps, books), np.float32),
            np.empty((steps, books, agents, o), np.float32),
            np.empty((steps, books, agents, u), np.bool_),
            np.empty((steps, books), np.bool_),
            np.empty((steps, books), np.bool_),
            self._memory.copy(),
            np.empty((steps, books, agents), np.float32) if hyper.cost_weight else None,
        )
        vectors = prepared(self.architecture, self._weights.online)
        epsilon = self._epsilon()
        key = stream_key(self.seed, "learning", "explore")
        q = np.empty((books, agents, u), np.float32)
        finished: list[float] = []
        for t in range(steps):
            segment.obs[t] = self._obs
            first_draw = 2 * (self.steps + t * books) * agents
            if self._leading is not None:
                self._leading.act(
                    vectors, self._obs, self._mask, epsilon, key, first_draw, q, segment.action[t], self.rounds
                )
            else:
                act_many(
                    vectors, self._figures, self._obs, self._mask, self._memory, epsilon, key, first_draw,
                    self._scratch, q, segment.action[t],
                )  # fmt: skip
            step = task.step(segment.action[t])
            ended = step.terminated | step.truncated
            final = self._told(step.final_obs) if ended.any() else None  # with the macro-action in force
            if self._upper is not None:
                begins = ended | ((t + 1) % hyper.horizon == 0)
                self._upper.choose(step.obs, begins, hyper.epsilon(self.steps), self.steps + t * books + 1)
            self._obs, self._mask = self._told(step.obs), step.mask.copy()
            segment.next_obs[t] = self._obs
            if final is not None:
                segment.next_obs[t, ended] = final[ended]
            segment.next_mask[t] = self._mask
            segment.next_mask[t, ended] = True
            segment.terminated[t], segment.ended[t] = step.terminated, ended
            if segment.own_cost is not None:
                segment.own_cost[t] = step.own_cost
            self._returns += step.reward
            finished += self._returns[ended].tolist()
            self._returns[ended] = 0.0
            self._memory[ended] = 0.0
            segment.reward[t] = self._scale.scaled(step.reward, ended) if hyper.scale_rewards else step.reward
        self.steps += steps * books
        if finished:
            self.metrics["return"] = float(np.mean(finished))
        self.metrics |= {"epsilon": float(hyper.epsilon(self.steps)), "episodes": float(len(finished))}
        return segment

    def _epsilon(self) -> Floats:
        books, now = self.task.books, self.hyper.epsilon(self.steps)
        power = 1.0 + 7.0 * np.arange(books) / max(1, books - 1) if self.hyper.ladder else np.ones(books)
        return np.repeat((now**power).astype(np.float32)[:, None], self.task.agents, 1)

    def _learn(self, fresh: Segment) -> None:
        hyper = self.hyper
        if self.architecture.normalise:
            self._weights = self._weights._replace(online=self._normalised(fresh.obs))
        rate = hyper.rate_at(self.steps)
        if self._upper is not None:
            fresh, said = self._upper.learn(fresh, self.steps / hyper.steps, rate)
            self.metrics |= said
        rng = generator(self.seed, "learning", "minibatch", self.rounds)
        batch = fresh
        if self._replay is not None:
            if hyper.replayed and self._replay.size >= hyper.replayed:
                batch = joined(fresh, self._replay.sample(hyper.replayed, hyper.lucky, rng))
            self._replay.add(fresh)
        units = batch.reward.size if self.architecture.memory == "none" else batch.reward.shape[1]
        size = units // hyper.minibatches
        if size < 1:
            raise DataError(f"learning: {units} rows cannot be split into {hyper.minibatches} minibatches; use fewer")
        passes = [rng.permutation(units)[: size * hyper.minibatches] for _ in range(hyper.epochs)]
        order = np.stack(passes).reshape(-1, size).astype(np.int32)
        if self._leading is not None:
            self._weights, told = self._leading.learn(self._weights, batch, order, rate)
        else:
            assert self._learner is not None
            self._weights, told = self._learner.learn(self._weights, batch, order, rate)
        self.rounds += 1
        self.metrics |= {**told, "steps": float(self.steps)}

    def _normalised(self, obs: Floats) -> Floats:
        """Return the vectors with the inputs of this segment counted into the running mean and variance."""
        online = self._weights.online.copy()
        views = self.architecture.manifest.views(online)
        by_agent = np.moveaxis(obs, 2, 0).reshape(self.task.agents, -1, obs.shape[-1])
        if len(online) == 1:
            by_agent = by_agent.reshape(1, -1, obs.shape[-1])
        merge_moments(views["normaliser.mean"], views["normaliser.variance"], views["normaliser.count"], by_agent)
        return online


def _learner(architecture: Architecture, hyper: Hyper, agents: int) -> Learner:
    if hyper.exchange != "central":
        from mycelial.learning.exchange import ExchangeLearner

        return ExchangeLearner(architecture, hyper, agents, hyper.exchange)
    if hyper.backend == "numpy":
        from mycelial.learning.numpy_learner import NumpyLearner

        return NumpyLearner(architecture, hyper, agents)
    from mycelial.learning.jax_learner import JaxLearner

    return JaxLearner(architecture, hyper, agents)


def _leading(architecture: Architecture, hyper: Hyper, agents: int) -> LearningToLead:
    if agents < 2:
        raise ConfigError("learning: best responses need at least two members")
    from mycelial.learning.jax_dyads import DyadLearner

    leading = Leading(architecture, agents, hyper.depth, hyper.temperature, team=0)
    return LearningToLead(leading, DyadLearner(architecture, hyper, agents))


def _episode_seed(seed: int, steps: int) -> int:
    return int(stream_key(seed, "learning", "episodes", steps) >> np.uint64(2))


def _room(arrays: dict[str, NDArray[Any]], room: str) -> Arrays:
    return {name[len(room) + 1 :]: value for name, value in arrays.items() if name.startswith(f"{room}.")}

"""A trained team as files and arrays: what is left of learning when it is over. Loading and running it needs no JAX.

A policy file is an ``.npz`` without pickled objects: the vectors, and a JSON text with architecture and provenance.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError, NotFound, StorageError
from mycelial.learning.forward import act, act_many, scratch_size
from mycelial.learning.networks import EPSILON, Architecture
from mycelial.learning.task import Actions, Bools, Floats

FORMAT = "mycelial-policy-1"
_NO_KEY = np.uint64(0)


@dataclass(eq=False)
class Policy:
    """One agent, ready to decide: `act(obs, mask)` takes about two microseconds.

    Parameters
    ----------
    architecture : Architecture
    vector : float32[P]
    """

    architecture: Architecture
    vector: Floats
    _memory: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        size = self.architecture.manifest.size
        if self.vector.shape != (size,):
            raise DataError(f"policy: the vector has shape {self.vector.shape}, this network has {size} figures")
        self._figures = figures_of(self.architecture)
        self._prepared = prepared(self.architecture, self.vector[None])[0]
        self._scratch = np.zeros(scratch_size(self._figures), np.float32)
        self._memory = np.zeros(self.architecture.memory_size, np.float32)
        self._frames = np.zeros(self.architecture.observation_size, np.float32)  # newest first
        self._is_new = True
        self.utilities = np.zeros(self.architecture.actions, np.float32)  # of the last decision

    def reset(self) -> None:
        """Forget what was seen, as at the start of an episode."""
        self._memory[:] = 0.0
        self._is_new = True

    def act(self, obs: Floats, mask: Bools) -> int:
        """Return the greedy action; `utilities` holds what it was chosen from.

        Parameters
        ----------
        obs : float32[O], contiguous; one frame, where the network sees several
        mask : bool[U]
        """
        if self.architecture.frames > 1:
            obs = self._stacked(obs)
        return int(act(self._prepared, self._figures, obs, mask, self._memory, self._scratch, self.utilities))

    def _stacked(self, obs: Floats) -> Floats:
        size = self.architecture.observation_size // self.architecture.frames
        if self._is_new:
            self._frames[:] = np.tile(obs, self.architecture.frames)
        else:
            self._frames[size:] = self._frames[:-size].copy()
            self._frames[:size] = obs
        self._is_new = False
        return self._frames


@dataclass(eq=False)
class Team:
    """The policies of a team, deciding for many books at once.

    Parameters
    ----------
    architecture : Architecture
    vectors : float32[K, P]
        A row for each member, or one row for all (`agents` says how many there are).
    agents : int
        N.
    provenance : dict
        What a reader of the file should know: task, seed, steps, command.
    depth, temperature : int, float
        Above 0, members decide in pairs (see `dyads`); `turn` says who leads whom.
    """

    architecture: Architecture
    vectors: Floats
    agents: int
    provenance: dict[str, Any] = field(default_factory=dict)
    depth: int = 0
    temperature: float = 0.5
    turn: int = 0

    def __post_init__(self) -> None:
        size = self.architecture.manifest.size
        if self.vectors.ndim != 2 or self.vectors.shape[1] != size or len(self.vectors) not in (1, self.agents):
            raise DataError(
                f"policies: vectors of shape {self.vectors.shape} do not fit {self.agents} agents of {size} figures"
            )
        if not np.isfinite(self.vectors).all():
            raise DataError("policies: a vector holds a figure that is not finite; train again")
        self._figures = figures_of(self.architecture)
        self._prepared = prepared(self.architecture, self.vectors)
        self._scratch = np.zeros(scratch_size(self._figures), np.float32)

    @property
    def shares(self) -> bool:
        """Whether all members share one vector and are told their number."""
        return len(self.vectors) == 1 and self.agents > 1

    def member(self, n: int) -> Policy:
        """Return the policy of member n."""
        return Policy(self.architecture, self.vectors[n if len(self.vectors) > 1 else 0])

    @property
    def frame_size(self) -> int:
        """Figures of one observation, as the task shows it."""
        size = self.architecture.observation_size - (self.agents if self.shares else 0)
        return size // self.architecture.frames

    def memory(self, books: int) -> Floats:
        """Return what the members of `books` books remember at the start: nothing (of frames not seen: nan)."""
        memory = np.zeros((books, self.agents, self.architecture.memory_size), np.float32)
        older = np.full((books, self.agents, self.frame_size * (self.architecture.frames - 1)), np.nan, np.float32)
        return np.concatenate([memory, older], axis=2)

    def utilities(self, obs: Floats, memory: Floats | None = None) -> Floats:
        """Return Q of every action: float32[B, N, U]; `memory` is moved on in place."""
        return self._decide(obs, np.ones((*obs.shape[:2], self.architecture.actions), np.bool_), memory)[0]

    def act(self, obs: Floats, mask: Bools, memory: Floats | None = None) -> Actions:
        """Return the greedy actions int32[B, N]; `memory` is moved on in place."""
        return self._decide(obs, mask, memory)[1]

    def _decide(self, obs: Floats, mask: Bools, memory: Floats | None) -> tuple[Floats, Actions]:
        books = len(obs)
        if obs.shape[1:] != (self.agents, self.frame_size):
            raise DataError(
                f"policies: observations of shape {obs.shape} are not [B, {self.agents}, {self.frame_size}]"
            )
        memory = self.memory(books) if memory is None else memory
        state = np.ascontiguousarray(memory[:, :, : self.architecture.memory_size])
        if self.architecture.frames > 1:
            older = memory[:, :, self.architecture.memory_size :]
            again = np.tile(obs, (1, 1, self.architecture.frames - 1))
            obs = np.concatenate([obs, np.where(np.isnan(older), again, older)], axis=2)
            older[...] = obs[:, :, : older.shape[2]]
        obs = with_identity(obs) if self.shares else np.ascontiguousarray(obs, np.float32)
        q = np.empty((books, self.agents, self.architecture.actions), np.float32)
        actions = np.empty((books, self.agents), np.int32)
        if self.depth:
            from mycelial.learning.leading import Leading

            leading = Leading(self.architecture, self.agents, self.depth, self.temperature, team=0)
            never = np.zeros((books, self.agents), np.float32)
            leading.act(self._prepared, obs, mask, never, _NO_KEY, 0, q, actions, self.turn)
            return q, actions
        act_many(
            self._prepared,
            self._figures,
            obs,
            mask,
            state,
            np.zeros((books, self.agents), np.float32),
            _NO_KEY,
            0,
            self._scratch,
            q,
            actions,
        )
        memory[:, :, : self.architecture.memory_size] = state
        return q, actions

    def save(self, path: Path) -> str:
        """Write the team to one file; return the BLAKE2b-256 of its vectors."""
        digest = content_hash(self.vectors)
        about = {
            "format": FORMAT,
            "architecture": self.architecture.to_dict(),
            "agents": self.agents,
            "depth": self.depth,
            "temperature": self.temperature,
            "family": self.architecture.manifest.family.hex(),
            "hash": digest,
            "provenance": self.provenance,
        }
        packed = io.BytesIO()
        np.savez(packed, about=np.frombuffer(json.dumps(about).encode(), np.uint8), vectors=self.vectors)
        write_whole(path, packed.getvalue())
        return digest

    @classmethod
    def load(cls, path: Path) -> Team:
        """Read a team.

        Raises
        ------
        NotFound, DataError
            If there is no such file, or it is not a policy, or was changed.
        """
        if not path.is_file():
            raise NotFound(f"policy file {path} does not exist")
        try:
            with np.load(path, allow_pickle=False) as found:
                about = json.loads(found["about"].tobytes())
                vectors = np.ascontiguousarray(found["vectors"], np.float32)
            architecture = Architecture(**about["architecture"])
            agents, digest, written = int(about["agents"]), str(about["hash"]), str(about["format"])
            depth, temperature = int(about.get("depth", 0)), float(about.get("temperature", 0.5))
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise DataError(f"policy file {path} cannot be read ({error}); export it again") from error
        if written != FORMAT:
            raise DataError(f"policy file {path} is of format {written}, this version reads {FORMAT}")
        if content_hash(vectors) != digest:
            raise DataError(f"policy file {path} was changed since it was written; export it again")
        return cls(architecture, vectors, agents, dict(about.get("provenance", {})), depth, temperature)


def figures_of(architecture: Architecture) -> NDArray[np.int64]:
    """Return the sizes that the kernels of `forward` go by."""
    return np.array(
        [
            architecture.observation_size,
            architecture.hidden,
            architecture.actions,
            architecture.memory == "gru",
            architecture.normalise,
        ],
        np.int64,
    )


def prepared(architecture: Architecture, vectors: Floats) -> Floats:
    """Return a copy of float32[K, P] as kernels want it.

    Reciprocal deviations stand in place of the variances of the inputs, and what an action costs its agent alone is
    already taken off the utility head: both heads are linear in the same features.
    """
    ready = np.array(vectors, np.float32, order="C")
    place = architecture.manifest.tensor("normaliser.variance")
    ready[:, place.start : place.stop] = 1.0 / np.sqrt(ready[:, place.start : place.stop] + np.float32(EPSILON))
    if architecture.cost_weight:
        views = architecture.manifest.views(ready)
        for name in ("weight", "bias"):
            views[f"head.{name}"][...] -= np.float32(architecture.cost_weight) * views[f"cost.{name}"]
    return ready


def with_identity(obs: Floats) -> Floats:
    """Append the one-hot number of each member: float32[B, N, O + N]."""
    books, agents, size = obs.shape
    told = np.zeros((books, agents, size + agents), np.float32)
    told[:, :, :size] = obs
    told[:, np.arange(agents), size + np.arange(agents)] = 1.0
    return told


def content_hash(vectors: NDArray[Any]) -> str:
    """Return the BLAKE2b-256 of the little-endian figures, in hex."""
    return blake2b(np.ascontiguousarray(vectors, "<f4").tobytes(), digest_size=32).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves either the old one or the new one."""
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another place") from error

"""Reference figures: everything a comparison needs to know of a real market, without any of its prices.

Each statistic is kept as its quantiles in the middle of 512 equal slices of probability, and the two outermost slices,
which hold the tails, as 16 quantiles each. Between them the quantile function is read as linear. So a
Kolmogorov-Smirnov distance to the reference is exact to 1/512; tests hold the Wasserstein distance to within 5 % of
the distance between two halves of the real market. Serialised as JSON of about 165 kB; `mycelial.facts.packaged` holds
the ones that ship.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mycelial.domain.errors import DataError
from mycelial.facts.compare import PreparedStatistics, prepare, real_versus_real, two_halves
from mycelial.facts.density import Histogram, histogram
from mycelial.facts.distance import Distance
from mycelial.facts.json_figures import rounded, with_nan
from mycelial.facts.panel import Floats, Panel
from mycelial.facts.returns import log_returns
from mycelial.facts.summary import Summary, summarise

FORMAT = "mycelial-reference-figures/1"
_SLICES = 512
_TAIL_SLICES = 16  # finer slices within the first and the last
_FINE = (np.arange(_SLICES * _TAIL_SLICES) + 0.5) / (_SLICES * _TAIL_SLICES)
LEVELS = np.concatenate(
    [_FINE[:_TAIL_SLICES], (np.arange(1, _SLICES - 1) + 0.5) / _SLICES, _FINE[-_TAIL_SLICES:]]
)  # probabilities of the stored quantiles


@dataclass(frozen=True, eq=False)
class ReferenceFigures:
    """Derived statistics of one market.

    Parameters
    ----------
    label : what the market is called in tables and figures.
    provenance : where the data came from and what was done to it, in a sentence or two.
    summary : its stylised facts.
    quantiles : per statistic, the quantiles at `LEVELS`, ascending.
    mean : per statistic, the exact mean of its sample.
    histogram : per statistic, the density on 100 equal bins.
    halves : densities of the returns of two random halves of the coins (figure 5); empty for one coin.
    baseline : per statistic, distance between two halves of the coins, averaged over splits; empty for one coin.
    """

    label: str
    provenance: str
    summary: Summary
    quantiles: dict[str, tuple[float, ...]]
    mean: dict[str, float]
    histogram: dict[str, Histogram]
    halves: tuple[Histogram, ...]
    baseline: dict[str, Distance]

    def prepared(self) -> PreparedStatistics:
        """Return the figures as one side of a comparison (see `compare.distances`)."""
        sample = {key: np.interp(_FINE, LEVELS, values) for key, values in self.quantiles.items()}
        return PreparedStatistics(
            label=self.label,
            sample=MappingProxyType(sample),
            mean=MappingProxyType(self.mean),
            rows=MappingProxyType({}),
        )


def build_reference(panel: Panel, provenance: str, *, seed: int = 0) -> ReferenceFigures:
    """Measure a real panel once and for all; statistics it is too short for are left out."""
    prepared = prepare(panel)
    sample = {key: values for key, values in prepared.sample.items() if values.size}
    several = panel.n_series > 1
    baseline = real_versus_real(panel, seed, names=sample) if several else {}
    returns = histogram(sample["returns"])
    halves = two_halves(panel, seed) if several else ()
    return ReferenceFigures(
        label=panel.label,
        provenance=provenance,
        summary=summarise(panel),
        quantiles={key: _quantiles(values) for key, values in sample.items()},
        mean={key: prepared.mean[key] for key in sample},
        histogram={key: density for key, values in sample.items() if (density := histogram(values)) is not None},
        halves=tuple(
            density
            for half in halves
            if (density := histogram(log_returns(half.price).ravel(), like=returns)) is not None
        ),
        baseline={key: one for key, one in baseline.items() if math.isfinite(one.ks)},
    )


def to_json(reference: ReferenceFigures) -> str:
    """Return the reference as JSON, six significant digits, one line per entry so that changes can be reviewed."""
    document = {"format": FORMAT} | asdict(reference)
    return _lines(rounded(document, 6), depth=2) + "\n"


def from_json(text: str, origin: str = "reference figures") -> ReferenceFigures:
    """Read and validate reference figures; `origin` names the file in messages.

    Raises
    ------
    DataError
        If the text is not JSON, of another format, or a field is missing, of the wrong type or impossible.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{origin} is not JSON ({error}); make it with `mycelial facts reference`") from None
    found = document.get("format") if isinstance(document, Mapping) else None
    if found != FORMAT:
        raise DataError(f"{origin} has format {found!r}, not {FORMAT!r}; make it anew with `mycelial facts reference`")
    try:
        reference = TypeAdapter(ReferenceFigures).validate_python(_with_nan(document))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{origin}: field {field}: {first['msg']}; make the file anew with `mycelial facts reference`"
        ) from None
    _check(reference, origin)
    return reference


def _check(reference: ReferenceFigures, origin: str) -> None:
    if "returns" not in reference.quantiles:
        raise DataError(f"{origin}: quantiles hold no 'returns'; make the file anew with `mycelial facts reference`")
    for key, values in reference.quantiles.items():
        if len(values) != LEVELS.size or not np.isfinite(values).all() or (np.diff(values) < 0).any():
            raise DataError(
                f"{origin}: quantiles of {key} must be {LEVELS.size} finite ascending numbers (found {len(values)}); "
                "make the file anew with `mycelial facts reference`"
            )
        if key not in reference.mean or key not in reference.histogram:
            raise DataError(f"{origin}: {key} has quantiles but no mean or histogram; make the file anew")
    for key, density in reference.histogram.items():
        if not (density.width > 0 and np.isfinite(density.density).all() and min(density.density, default=-1) >= 0):
            raise DataError(f"{origin}: histogram of {key} is not a density (width {density.width}); make it anew")


def _quantiles(ascending: Floats) -> tuple[float, ...]:
    values = np.quantile(ascending, LEVELS, method="inverted_cdf")
    return tuple(float(value) for value in values)


def _with_nan(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with the undefined numbers of its summary as NaN (JSON knows only null)."""

    # An interval is the one field that may be absent.
    return {key: value if key == "baseline" else with_nan(value) for key, value in document.items() if key != "format"}


def _lines(value: Any, depth: int) -> str:
    if depth == 0 or not isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    items = ",\n".join(f"{json.dumps(key)}: {_lines(item, depth - 1)}" for key, item in value.items())
    return "{\n" + items + "\n}"

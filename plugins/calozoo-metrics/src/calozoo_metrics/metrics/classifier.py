"""A classifier that tries to tell generated showers from the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from calozoo import ConfigError, DataError, Direction, Geometry, Metric, Score, Showers
from calozoo_metrics.energies import pairs
from calozoo_metrics.observables import lateral_mean_and_width, layer_energies, response, sparsity
from calozoo_metrics.statistics import Estimate, make_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Floor of energies under a logarithm, MeV (CaloChallenge, arXiv:2410.21611).
_TINY = 1e-8


class Classifier(Metric):
    """Area under the ROC curve of boosted trees that separate the samples: 0.5 where they cannot, 1 where they always can.

    ``high`` sees the incident energy, response, layer energies, lateral means and widths, and sparsity; ``low`` the
    incident energy and every cell over it. Overall is the larger of the two. There are ``iterations`` trees, which learn
    at ``learning_rate``. Both samples enter with as many showers at
    each energy, at most ``showers`` each, so that the energies give nothing away. Each AUC is the mean over ``folds``
    cross-validation folds and ``seeds`` seeds; its error joins the statistical one (Hanley and McNeil, Radiology 143
    (1982) 29) and the spread of the seeds.
    """

    direction = Direction.half

    def __init__(
        self,
        geometry: Geometry,
        *,
        folds: int = 3,
        seeds: int = 3,
        iterations: int = 60,
        learning_rate: float = 0.1,
        showers: int = 10_000,
    ) -> None:
        super().__init__(geometry)
        if folds < 2 or seeds < 1:
            raise ConfigError(f"A classifier needs at least 2 folds and 1 seed, not {folds} and {seeds}.")
        self.folds, self.seeds, self.showers = folds, seeds, showers
        self.iterations, self.learning_rate = iterations, learning_rate

    def score(self, reference: Showers, generated: Showers) -> Score:
        """AUC on ``high``- and ``low``-level features."""
        own, other = balanced(pairs(reference, generated, self.geometry), self.showers)
        if len(own) < 10 * self.folds:
            raise DataError(f"A classifier in {self.folds} folds needs {10 * self.folds} showers each, not {len(own)}.")
        found = {
            "high": self.auc(high_level(own, self.geometry), high_level(other, self.geometry)),
            "low": self.auc(low_level(own), low_level(other)),
        }
        return make_score(max(found.values()), found)

    def auc(self, reference: NDArray[Any], generated: NDArray[Any]) -> Estimate:
        """Cross-validated AUC between two sets of features, (n, features) each."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import StratifiedKFold

        features = np.concatenate([reference, generated]).astype(np.float32)
        labels = np.repeat([1, 0], [len(reference), len(generated)])
        by_seed = []
        for seed in range(self.seeds):
            folds = StratifiedKFold(self.folds, shuffle=True, random_state=seed).split(features, labels)
            scores = []
            for train, test in folds:
                trees = HistGradientBoostingClassifier(
                    max_iter=self.iterations, learning_rate=self.learning_rate, early_stopping=False, random_state=seed
                )
                trees.fit(features[train], labels[train])
                scores.append(roc_auc_score(labels[test], trees.predict_proba(features[test])[:, 1]))
            by_seed.append(np.mean(scores))
        spread = np.std(by_seed, ddof=1) if self.seeds > 1 else 0.0
        area = float(np.mean(by_seed))
        return Estimate(area, float(np.hypot(spread, hanley_mcneil(area, len(reference), len(generated)))))


def balanced(cut: list[Any], most: int) -> tuple[Showers, Showers]:
    """As many reference as generated showers at each energy, drawn at random, at most ``most`` each."""
    random = np.random.default_rng(0)
    sizes = np.array([min(len(pair.reference), len(pair.generated)) for pair in cut])
    if sizes.sum() > most:
        sizes = sizes * most // sizes.sum()
    parts = [
        [s[np.sort(random.permutation(len(s))[:size])] for s in (pair.reference, pair.generated)]
        for pair, size in zip(cut, sizes.tolist(), strict=True)
    ]
    return _join([own for own, _ in parts]), _join([other for _, other in parts])


def _join(parts: list[Showers]) -> Showers:
    """Without their conditions, which need not be the same in both samples."""
    return Showers.concatenate(Showers(part.energies, part.incident_energies) for part in parts)


def high_level(showers: Showers, geometry: Geometry) -> NDArray[np.float64]:
    """Features of physics: log E_inc, E/E_inc, log E_layer, lateral means and widths, sparsity, (n, features)."""
    columns = [np.log10(showers.incident_energies), response(showers), sparsity(showers)]
    columns += list(np.log10(layer_energies(showers, geometry) + _TINY).T)
    for layer in range(len(geometry.layers)):
        for axis in range(2):
            columns += lateral_mean_and_width(showers, geometry, layer, axis, aligned=False)
    return np.stack(columns, axis=1)


def low_level(showers: Showers) -> NDArray[np.float64]:
    """Log E_inc and every cell's share of it, (n, 1 + cells)."""
    incident = showers.incident_energies[:, None]
    return np.concatenate([np.log10(incident), showers.energies / incident], axis=1)


def hanley_mcneil(area: float, n: int, m: int) -> float:
    """Standard deviation of an AUC from ``n`` and ``m`` test showers.

    >>> round(hanley_mcneil(0.5, 1000, 1000), 4)
    0.0129
    """
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    return float(np.sqrt((area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)) / (n * m)))

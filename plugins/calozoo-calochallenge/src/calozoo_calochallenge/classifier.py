"""The challenge's classifier, which tries to tell generated showers from Geant4's.

Source: C. Krause et al., CaloChallenge 2022, arXiv:2410.21611.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calozoo import ConfigError, Direction, Geometry, Showers, Value
from calozoo_calochallenge.challenge import ChallengeMetric
from calozoo_calochallenge.cylinder import Cylinder
from calozoo_calochallenge.features import Floats, high_level, low_level, normalised

if TYPE_CHECKING:
    from torch import Tensor, nn

_HIDDEN = 2  # layers after the first
_SLOPE = 0.01  # of the leaky rectifier
_LEARNING_RATE = 2e-4
_BATCH = 1000
_SPLIT = (0.6, 0.2)  # train, test; the rest validates
_CLIP = 1e-6  # calibrated probabilities keep this distance from 0 and 1
_OFFICIAL = {"epochs": 50, "width": 2048, "runs": 10}
#: Columns of the published table.
_COLUMNS = {"auc/low": "binary_cls_low", "auc/high": "binary_cls_high"}

#: Indices of showers (m,) to what the classifier sees of them, (m, inputs).
Rows = Callable[[NDArray[np.int64]], Floats]


class Inputs(Enum):
    """What a classifier sees of a shower."""

    low = "low"
    high = "high"
    normalised = "normalised"


class Classifier(ChallengeMetric):
    """Area under the ROC curve of the challenge's network, such as ``auc/low``: 0.5 where it cannot separate, else 1.

    ``inputs`` are those that are judged, of low, high and normalised. ``jsd`` is the Jensen-Shannon divergence over
    ln 2. Each is the mean over ``runs`` trainings of ``epochs`` epochs with layers of ``width``; settings other than the
    official ones are part of the keys, which then name no official number. Of the larger sample as many showers are
    drawn as the smaller one has. The official AUCs stand beside their ``rank`` among the published ones.
    """

    direction = Direction.half

    def __init__(
        self,
        geometry: Geometry,
        *,
        inputs: tuple[Inputs, ...] = (Inputs.low, Inputs.high),
        epochs: int = 50,
        width: int = 2048,
        runs: int = 10,
    ) -> None:
        super().__init__(geometry)
        if min(epochs, width, runs) < 1 or not inputs:
            raise ConfigError(
                f"A classifier needs inputs and at least 1 epoch, width and run, not {epochs}, {width}, {runs}."
            )
        self.inputs, self.epochs, self.width, self.runs = tuple(inputs), epochs, width, runs

    def judge(self, reference: Showers, generated: Showers) -> Iterable[Value]:
        """AUC and JSD for each kind of input."""
        rows = min(len(reference), len(generated))
        given = {"epochs": self.epochs, "width": self.width, "runs": self.runs}
        ending = ",".join(f"{name}={value}" for name, value in given.items() if value != _OFFICIAL[name])
        aucs, divergences = [], []
        for kind in self.inputs:
            own, other = (make_rows(kind, showers, self.geometry) for showers in (reference, generated))
            verdicts = np.array(
                [
                    train_and_judge(
                        own,
                        other,
                        (len(reference), len(generated)),
                        epochs=self.epochs,
                        width=self.width,
                        seed=seed,
                    )
                    for seed in range(self.runs)
                ]
            )
            for name, results, numbers in zip(("auc", "jsd"), (aucs, divergences), verdicts.T, strict=True):
                key = "/".join(filter(None, (name, kind.value, ending)))
                error = float(numbers.std()) if self.runs > 1 else None
                results.append(Value(key, float(numbers.mean()), error))
        return self.ranks([*aucs, *divergences], _COLUMNS, rows)


class Verdict(NamedTuple):
    """What a trained classifier reaches on the validation split after its calibration."""

    auc: float
    divergence: float  # Jensen-Shannon, over ln 2


def make_rows(kind: Inputs, showers: Showers, geometry: Cylinder) -> Rows:
    """The function from rows of ``showers`` to inputs; those made of voxels are not kept in memory."""
    if kind is Inputs.high:
        features = high_level(showers.energies, showers.incident_energies, geometry)
        return lambda rows: features[rows]
    function = low_level if kind is Inputs.low else normalised
    return lambda rows: function(showers.energies[rows], showers.incident_energies[rows], geometry)


def split(n: int, random: np.random.Generator, take: int) -> list[NDArray[np.int64]]:
    """``take`` of n rows in random order, cut into those that train, test and validate."""
    train, test = (int(take * part) for part in _SPLIT)
    return np.split(random.permutation(n)[:take], [train, train + test])


def make_network(inputs: int, width: int) -> nn.Module:
    """The network in double precision: from (m, inputs) to logits (m, 1), above 0 for Geant4."""
    from torch import float64, nn

    sizes = [inputs] + [width] * (1 + _HIDDEN)
    layers: list[nn.Module] = []
    for size, following in pairwise(sizes):
        layers += [nn.Linear(size, following, dtype=float64), nn.LeakyReLU(_SLOPE)]
    return nn.Sequential(*layers, nn.Linear(width, 1, dtype=float64))


def train_and_judge(
    reference: Rows, generated: Rows, sizes: tuple[int, int], *, epochs: int, width: int, seed: int
) -> Verdict:
    """Train on 60 % of the showers, keep the epoch of the best accuracy on 20 %, calibrate there, judge on 20 %.

    ``sizes`` are those of the samples. The same seed gives the same verdict on the same device.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    random = np.random.default_rng(seed)
    splits = [split(size, random, min(sizes)) for size in sizes]
    # Generated showers are numbered on after the reference's.
    train, test, validation = (np.concatenate([own, other + sizes[0]]) for own, other in zip(*splits, strict=True))
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def batch(index: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.float64]]:
        own, other = index[index < sizes[0]], index[index >= sizes[0]] - sizes[0]
        inputs = np.concatenate([reference(own), generated(other)])
        return torch.as_tensor(inputs, device=device), np.repeat([1.0, 0.0], [len(own), len(other)])

    def predict(index: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        with torch.inference_mode():
            parts = [batch(index[start : start + _BATCH]) for start in range(0, len(index), _BATCH)]
            found = [torch.sigmoid(network(inputs)).cpu().numpy()[:, 0] for inputs, _ in parts]
        return np.concatenate(found), np.concatenate([labels for _, labels in parts])

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make_network(reference(np.arange(1)).shape[1], width).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
    best, state = -1.0, {}
    for _ in range(epochs):
        order = random.permutation(train)
        for start in range(0, len(order), _BATCH):
            inputs, labels = batch(order[start : start + _BATCH])
            optimizer.zero_grad()
            target = torch.as_tensor(labels, device=device)[:, None]
            binary_cross_entropy_with_logits(network(inputs), target).backward()
            optimizer.step()
        probabilities, labels = predict(test)
        accuracy = float(np.mean((probabilities > 0.5) == labels))
        if accuracy > best:
            best, state = accuracy, {name: value.clone() for name, value in network.state_dict().items()}
        if accuracy == 1:
            break
    network.load_state_dict(state)
    return judge_probabilities(*predict(test), *predict(validation))


def judge_probabilities(
    test: NDArray[Any], test_labels: NDArray[Any], validation: NDArray[Any], labels: NDArray[Any]
) -> Verdict:
    """AUC and divergence of validation probabilities, (n,), after an isotonic calibration on test ones, (m,)."""
    from sklearn.isotonic import IsotonicRegression
    from sklearn.metrics import roc_auc_score

    calibration = IsotonicRegression(out_of_bounds="clip", y_min=_CLIP, y_max=1 - _CLIP).fit(test, test_labels)
    calibrated = calibration.predict(validation)
    likelihood = np.mean(np.log(np.where(labels == 1, calibrated, 1 - calibrated)))
    return Verdict(float(roc_auc_score(labels, calibrated)), float(1 + likelihood / np.log(2)))

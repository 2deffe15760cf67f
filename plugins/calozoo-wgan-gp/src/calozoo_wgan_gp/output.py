"""The output activations of the note's Table 2, scaled to the range of the values."""

from __future__ import annotations

from enum import Enum

import torch
from torch import Tensor
from torch.nn import functional

from calozoo import networks


class Output(Enum):
    """What follows the generator's last layer."""

    sigmoid = "sigmoid"
    relu = "relu"
    gauss = "gauss"
    sigmoid_relu = "sigmoid_relu"
    clipped_relu = "clipped_relu"
    softmax = "softmax"
    softmax_relu = "softmax_relu"


def activate(output: Output, x: Tensor, limits: tuple[float | None, float | None], cut: float) -> Tensor:
    """Values within ``limits`` of the last layer's outputs ``x`` (n, features).

    A ReLU after a sigmoid or softmax, whose values are positive already, would change nothing; it acts on what
    exceeds ``cut`` of the range, so that small values become exactly zero.
    """
    match output:
        case Output.sigmoid:
            unit = torch.sigmoid(x)
        case Output.relu:
            unit = functional.relu(x)
        case Output.gauss:
            unit = torch.exp(-x.square())
        case Output.sigmoid_relu:
            unit = functional.relu(torch.sigmoid(x) - cut)
        case Output.clipped_relu:
            unit = x.clamp(0, 1)
        case Output.softmax:
            unit = torch.softmax(x, dim=1)
        case Output.softmax_relu:
            unit = functional.relu(torch.softmax(x, dim=1) - cut)
    low, high = limits
    if low is not None and high is not None:
        return low + (high - low) * unit
    return unit if low is None else low + unit


def invert(output: Output, values: Tensor, limits: tuple[float | None, float | None]) -> Tensor:
    """Outputs of the last layer that :func:`activate` would make into ``values`` (features,), nearly."""
    low, high = limits
    if low is not None and high is not None:
        values = (values - low) / (high - low)
    elif low is not None:
        values = values - low
    match output:
        case Output.sigmoid | Output.sigmoid_relu:
            return networks.inverse_sigmoid(values)
        case Output.gauss:
            return (-values.clamp(1e-6, 1).log()).sqrt()
        case Output.softmax | Output.softmax_relu:
            return values.clamp(min=1e-6).log()
    return values

"""Building blocks of the models: multilayer perceptrons with the Keras initialisers that the note names."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from calozoo.options import Activation, Initialiser


def activation(kind: Activation, slope: float = 0.3) -> nn.Module:
    """The activation function ``kind``; ``slope`` is LeakyReLU's, 0.3 as in Keras, which the note used."""
    match kind:
        case Activation.elu:
            return nn.ELU()
        case Activation.relu:
            return nn.ReLU()
        case Activation.selu:
            return nn.SELU()
        case Activation.leaky_relu:
            return nn.LeakyReLU(slope)
        case Activation.prelu:
            return nn.PReLU()


def initialise(tensor: Tensor, kind: Initialiser, fan_in: float, fan_out: float) -> None:
    """Fill a weight or bias in place, with the scales that the Keras initialiser of that name has by default."""
    with torch.no_grad():
        match kind:
            case Initialiser.zeros:
                tensor.zero_()
            case Initialiser.ones:
                tensor.fill_(1.0)
            case Initialiser.random_normal:
                tensor.normal_(0.0, 0.05)
            case Initialiser.random_uniform:
                tensor.uniform_(-0.05, 0.05)
            case Initialiser.truncated_normal:
                _truncated_normal(tensor, 0.05)
            case Initialiser.variance_scaling | Initialiser.lecun_normal:
                _truncated_normal(tensor, math.sqrt(1 / fan_in))
            case Initialiser.glorot_normal:
                _truncated_normal(tensor, math.sqrt(2 / (fan_in + fan_out)))
            case Initialiser.glorot_uniform:
                limit = math.sqrt(6 / (fan_in + fan_out))
                tensor.uniform_(-limit, limit)


def _truncated_normal(tensor: Tensor, std: float) -> None:
    nn.init.trunc_normal_(tensor, std=std, a=-2 * std, b=2 * std)


class MLP(nn.Module):
    """Linear layers with an activation after each but the last: (n, sizes[0]) to (n, sizes[-1]).

    ``activations`` makes the activation that follows a layer of a given width.

    >>> MLP([3, 8, 1], lambda width: nn.ReLU())(torch.zeros(5, 3)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Callable[[int], nn.Module],
        kernel: Initialiser = Initialiser.glorot_uniform,
        bias: Initialiser = Initialiser.zeros,
    ) -> None:
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.activations = nn.ModuleList(activations(width) for width in sizes[1:-1])
        for linear, fan_in, fan_out in zip(self.linears, sizes, sizes[1:], strict=False):
            initialise(cast(Tensor, linear.weight), kernel, fan_in, fan_out)
            # Keras takes the root of a vector's length for both of its fans.
            initialise(cast(Tensor, linear.bias), bias, math.sqrt(fan_out), math.sqrt(fan_out))

    @property
    def last(self) -> nn.Linear:
        """The output layer."""
        return cast(nn.Linear, self.linears[-1])

    def forward(self, x: Tensor) -> Tensor:
        """The network's output, (n, sizes[-1])."""
        for linear, act in zip(self.linears, self.activations, strict=False):
            x = act(linear(x))
        return cast(Tensor, self.last(x))

    def gradient(self, x: Tensor, inputs: int) -> Tensor:
        """Derivative of a single output with respect to the first ``inputs`` inputs, (n, inputs).

        The chain rule written out instead of a second pass through autograd: one ordinary graph, so that a loss
        on it needs a single backward pass. Activations without a known derivative fall back to autograd.
        """
        if not all(isinstance(act, _WITH_SLOPE) for act in self.activations):
            x = x.detach().requires_grad_()
            return torch.autograd.grad(self(x).sum(), x, create_graph=True)[0][:, :inputs]
        slopes = []
        # Slopes of piecewise linear activations do not depend on the weights, so that no graph needs to lead there.
        flat = all(isinstance(act, _PIECEWISE_LINEAR) for act in self.activations)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not flat):
            for linear, act in zip(self.linears, self.activations, strict=False):
                before = linear(x)
                x = act(before)
                slopes.append(_slope(act, before, x))
        back: Tensor = self.last.weight  # (1, width): the same row for every shower until the first slope
        for linear, slope in zip(reversed(self.linears[:-1]), reversed(slopes), strict=True):
            weight = cast(Tensor, linear.weight)
            back = (back * slope) @ (weight[:, :inputs] if linear is self.linears[0] else weight)
        return back if slopes else back[:, :inputs].expand(len(x), -1)


_PIECEWISE_LINEAR = (nn.ReLU, nn.LeakyReLU)
_WITH_SLOPE = (*_PIECEWISE_LINEAR, nn.ELU, nn.SELU)
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _slope(act: nn.Module, before: Tensor, after: Tensor) -> Tensor:
    """Derivative of ``act`` at ``before``, where it took the value ``after``."""
    match act:
        case nn.ReLU():
            return (before > 0).to(before.dtype)
        case nn.LeakyReLU():
            return (before > 0).to(before.dtype) * (1 - act.negative_slope) + act.negative_slope
        case nn.ELU():
            return torch.where(before > 0, torch.ones_like(before), after + act.alpha)
        case nn.SELU():
            return torch.where(before > 0, torch.full_like(before, _SELU_SCALE), after + _SELU_SCALE * _SELU_ALPHA)
    raise TypeError(f"No explicit derivative of {type(act).__name__}.")


def inverse_sigmoid(values: Tensor, epsilon: float = 1e-6) -> Tensor:
    """The logit of values clipped to [``epsilon``, 1 - ``epsilon``]."""
    return torch.logit(values, epsilon)


class EnergyStandard(nn.Module):
    """Standardises quantities by their mean and width at the incident energy, both interpolated in its logarithm.

    :meth:`fit` takes them from training showers at discrete energies, or in bins of equally many showers; the width is
    the half-width of the central 68 %. Fixed buffers, so that they are saved with the weights.
    """

    ends: Tensor
    mean: Tensor
    width: Tensor

    def __init__(self, size: int, knots: int = 65) -> None:
        super().__init__()
        self.register_buffer("ends", torch.tensor([0.0, 1.0]))
        self.register_buffer("mean", torch.zeros(knots, size))
        self.register_buffer("width", torch.ones(knots, size))

    def fit(self, x: Tensor, incident: Tensor) -> None:
        """Learn from ``x`` (n, size) at ``incident`` energies (n, 1), MeV."""
        log = incident[:, 0].log()
        groups = torch.unique(log)
        if len(groups) > len(self.mean):
            groups = torch.quantile(log, torch.linspace(0, 1, len(self.mean) // 2, device=log.device))
        nearest = (log[:, None] - groups).abs().argmin(dim=1)
        kept = [(groups[k], x[nearest == k]) for k in range(len(groups)) if (nearest == k).any()]
        means = torch.stack([rows.mean(dim=0) for _, rows in kept])
        levels = torch.tensor([0.1587, 0.8413], device=x.device)
        widths = torch.stack([torch.quantile(rows, levels, dim=0).diff(dim=0)[0] / 2 for _, rows in kept])
        widths = torch.maximum(widths, 1e-5 * means.abs() + 1e-12)
        at = torch.stack([energy for energy, _ in kept])
        self.ends = torch.stack([at[0], at[-1]])
        knots = torch.linspace(0, 1, len(self.mean), device=x.device) * (at[-1] - at[0]) + at[0]
        self.mean = _interpolate(at, means, knots)
        self.width = _interpolate(at, widths.log(), knots).exp()

    def curves(self, incident: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and width (n, size) at ``incident`` energies (n, 1), MeV; constant beyond the training range."""
        span = (self.ends[1] - self.ends[0]).clamp(min=1e-9)
        place = ((incident[:, 0].log() - self.ends[0]) / span).clamp(0, 1) * (len(self.mean) - 1)
        left = place.long().clamp(max=len(self.mean) - 2)
        part = (place - left)[:, None]
        return tuple(torch.lerp(curve[left], curve[left + 1], part) for curve in (self.mean, self.width))  # type: ignore[return-value]

    def forward(self, x: Tensor, incident: Tensor) -> Tensor:
        """Standardised ``x`` (n, size)."""
        mean, width = self.curves(incident)
        return (x - mean) / width

    def inverse(self, x: Tensor, incident: Tensor) -> Tensor:
        """What :meth:`forward` made into ``x``."""
        mean, width = self.curves(incident)
        return x * width + mean


def _interpolate(at: Tensor, values: Tensor, points: Tensor) -> Tensor:
    """Linear interpolation of ``values`` (k, size) at increasing ``at`` (k,), constant beyond the ends."""
    if len(at) == 1:
        return values.expand(len(points), -1).clone()
    right = torch.searchsorted(at, points).clamp(1, len(at) - 1)
    part = ((points - at[right - 1]) / (at[right] - at[right - 1])).clamp(0, 1)[:, None]
    return torch.lerp(values[right - 1], values[right], part)

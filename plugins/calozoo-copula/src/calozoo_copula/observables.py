"""``critic=observables``: judges observables of showers, in the particle's frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calozoo import Activation, Batch, Critic, Sides, Space, networks
from calozoo_copula import smooth
from calozoo_copula.frame import Frame, Impact

_LEVELS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # MeV
_LEADING = 7
_FAR = 4.0  # standard deviations, beyond which observables grow like a logarithm


class Observables(nn.Module):
    """Observables of turned showers, less their mean under the condition and over their width at the energy.

    ln(1 + E / MeV) of the cells, of the layers, of the rows and columns of layers that are grids, and of each layer's
    leading cells; the layers' shares; their mean and width along both axes; how few cells hold the energy; how many
    cells are above some energies, smoothly; the total, standardised as ``critic=energy`` does. Source: ours.
    """

    members: Tensor
    positions: Tensor
    lines: Tensor
    means: Tensor
    widths: Tensor

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space, self.frame = space, Frame(space)
        layers, cells = len(space.geometry.layers), space.geometry.cells
        members, positions, lines = torch.zeros(cells, layers), torch.zeros(cells, 2, layers), []
        for k, (layer, where) in enumerate(zip(space.geometry.layers, space.geometry.slices, strict=True)):
            members[where, k] = 1.0
            for axis, values in enumerate((layer.x, layer.y)):
                scale = max(float(layer.size[:, axis].mean()), 1e-9)  # in cells
                places = torch.as_tensor(values / scale, dtype=torch.float32)
                positions[where, axis, k] = places
                different, index = torch.unique((places * 1000).round(), return_inverse=True)
                if 1 < len(different) <= layer.cells // 2:
                    line = torch.zeros(cells, len(different))
                    line[where] = nn.functional.one_hot(index).float()
                    lines.append(line)
        self.leading = [min(_LEADING, layer.cells // 4) for layer in space.geometry.layers]
        self.register_buffer("members", members, persistent=False)
        self.register_buffer(
            "positions", torch.cat([positions, positions.square()], dim=1).flatten(1), persistent=False
        )
        self.register_buffer("lines", torch.cat(lines, dim=1) if lines else torch.zeros(cells, 0), persistent=False)
        self.size = 1 + cells + layers * (7 + len(_LEVELS)) + self.lines.shape[1] + sum(self.leading)
        self.register_buffer("means", torch.zeros(3 * self.frame.size, self.size - 1))
        self.register_buffer("widths", torch.zeros(smooth.DEGREE + 1, self.size - 1))
        self.response = networks.EnergyStandard(1)

    @torch.no_grad()
    def fit(self, batch: Batch) -> None:
        """Learn means and widths from training showers."""
        self.frame.fit(batch)
        impact = self.frame(batch.condition)
        raw = torch.cat([self._raw(v, impact[r]) for v, r in _parts(batch.values)])
        total = self.space.fractions(batch.values, batch.condition).sum(dim=1, keepdim=True)
        self.response.fit(total, impact.incident)
        self.means = smooth.fit_ridge(impact.basis, raw, 1.0)
        squares = (raw - impact.basis @ self.means).square()
        rows = smooth.groups(impact.incident)
        variances = torch.stack([squares[group].mean(dim=0) for group in rows])
        least = 0.03 * variances.mean(dim=0) + 1e-6 * raw.square().mean(dim=0) + 1e-9  # what is constant stays at zero
        variances = torch.maximum(variances, least)
        u = torch.stack([impact.u[group].mean() for group in rows])
        counts = u.new_tensor([len(group) for group in rows])[:, None].expand_as(variances)
        self.widths = smooth.fit_energies(u, 0.5 * variances.log(), counts)

    def forward(self, values: Tensor, condition: Tensor) -> Tensor:
        """Standardised observables (n, size), those far off drawn in; the first is that of the total energy."""
        impact = self.frame(condition)
        standard = (self._raw(values, impact) - impact.basis @ self.means) * (-(impact.smooth @ self.widths)).exp()
        total = self.space.fractions(values, condition).sum(dim=1, keepdim=True)
        seen = torch.cat([self.response(total, impact.incident), standard], dim=1)
        return seen.sign() * (seen.abs() / _FAR).log1p() * _FAR

    def _raw(self, values: Tensor, impact: Impact) -> Tensor:
        cells = self.frame.turn(self.space.preprocessor.inverse(values, impact.incident), impact)
        sums, squares = cells @ self.members, cells.square()
        least = sums + 0.1  # MeV
        moments = (cells @ self.positions).unflatten(1, (4, -1)) / least[:, None]
        mean, spread = moments[:, :2], moments[:, 2:]
        width = ((spread - mean.square()).clamp(min=0) + 1e-2).sqrt()
        counts = [(squares / (squares + level**2)) @ self.members for level in _LEVELS]
        logs = cells.log1p()
        leading = [
            logs[:, s].topk(k, dim=1).values for s, k in zip(self.space.geometry.slices, self.leading, strict=True)
        ]
        parts = [logs, sums.log1p(), sums / impact.incident, mean.flatten(1), width.flatten(1)]
        parts += [(squares @ self.members) / least.square(), (cells @ self.lines).log1p(), *counts, *leading]
        return torch.cat(parts, dim=1)


def _parts(values: Tensor, rows: int = 8192) -> list[tuple[Tensor, slice]]:
    return [(values[k : k + rows], slice(k, k + rows)) for k in range(0, len(values), rows)]


class ObservablesCritic(Critic):
    """A multilayer perceptron that sees standardised observables of a shower, and a linear part that holds means.

    The linear part scores the observables f of :class:`Observables`, and f^2 / 2, in the generator's loss alone. Its weights learn
    by least squares how far the means of generated showers are from those of the simulation, as functions of the
    incident energy: a pull in proportion to what is wrong, which a critic whose slope is held at 1 does not give.

    Args (options):
        hidden: widths of the hidden layers.
        activation: of the hidden layers.
        slope: of LeakyReLU.
        moments: weight of the linear part; 0 leaves it out.
        nodes: incident energies, even in their logarithm, at which means are compared.
        derived: weight in the linear part of observables other than cells.
        total: weight in the linear part of the total energy.
        penalty: weight of the gradient penalty.
        sides: one- or two-sided penalty.
        weight: of this critic in the generator's loss.
    """

    factors: Tensor

    def __init__(
        self,
        space: Space,
        *,
        hidden: tuple[int, ...] = (256, 256, 256),
        activation: Activation = Activation.leaky_relu,
        slope: float = 0.2,
        moments: float = 1.0,
        nodes: int = 9,
        derived: float = 3.0,
        total: float = 10.0,
        penalty: float = 10.0,
        sides: Sides = Sides.two,
        weight: float = 1.0,
    ) -> None:
        super().__init__(space, penalty=penalty, sides=sides, weight=weight)
        self.observables, self.moments, self.nodes = Observables(space), moments, nodes
        sizes = [self.observables.size + space.condition_size, *hidden, 1]
        self.network = networks.MLP(sizes, lambda width: networks.activation(activation, slope))
        factors = torch.full((self.observables.size,), derived)
        factors[0], factors[1 : 1 + space.geometry.cells] = total, 1.0
        self.register_buffer("factors", factors, persistent=False)
        self.moment = nn.Parameter(torch.zeros(nodes, self.observables.size, 2)) if moments else None

    def initialise(self, batch: Batch) -> None:
        """Learn the observables' means and widths."""
        self.observables.fit(batch)

    def view(self, values: Tensor, condition: Tensor) -> Tensor:
        """The observables, (n, m)."""
        return self.observables(values, condition)  # type: ignore[no-any-return]

    def judge(self, view: Tensor, condition: Tensor) -> Tensor:
        """Score (n, 1), without the linear part."""
        return self.network(torch.cat([view, condition], dim=1))  # type: ignore[no-any-return]

    def gradient(self, view: Tensor, condition: Tensor) -> Tensor:
        """Derivative of that score with respect to the view, written out."""
        return self.network.gradient(torch.cat([view, condition], dim=1), view.shape[1])

    def forward(self, values: Tensor, condition: Tensor) -> Tensor:
        """Score (n, 1), with the linear part."""
        view = self.view(values, condition)
        score = self.judge(view, condition)
        if self.moment is None:
            return score
        pull = (
            (self._missing(condition) * self._squared(view) * self.factors[:, None]).flatten(1).sum(dim=1, keepdim=True)
        )
        return score - self.moments * pull

    def gradient_penalty(self, real: Tensor, fake: Tensor, condition: Tensor, mix: Tensor) -> Tensor:
        """The gradient penalty, and the mean squared error of the linear part."""
        penalty = super().gradient_penalty(real, fake, condition, mix)
        if self.moment is None:
            return penalty
        excess = self._squared(fake) - self._squared(real)
        return penalty + (self._missing(condition) - excess).square().mean()

    def _missing(self, condition: Tensor) -> Tensor:
        """By how much means of generated showers are too large, as learnt, (n, m, 2)."""
        at = smooth.hats(self.observables.frame.scaled(condition), self.nodes)
        return (at @ self.moment.flatten(1)).unflatten(1, self.moment.shape[1:])

    @staticmethod
    def _squared(view: Tensor) -> Tensor:
        """First and second moments, (n, m, 2)."""
        return torch.stack([view, 0.5 * view.square()], dim=2)

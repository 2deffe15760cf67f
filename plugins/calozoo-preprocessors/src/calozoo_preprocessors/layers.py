"""Layer energies and each cell's share of its layer, standardised with what training showers teach."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calozoo import Geometry, Preprocessor, networks

_WIDTH = 0.02  # least width of ln(layer fraction): a layer is not known better than to 2 %
_SHARE = 0.02  # least typical root of a share, which bounds the loss of precision to a factor of 50
_LEAST = 1e-10  # a layer with at most this fraction of the incident energy counts as empty
_MOST = 10.0  # a layer holds no more than ten times the incident energy, whatever a network says
_LAST = 1 - 2**-24  # the largest single-precision number below 1
_ELEMENTS = 2**23  # how many shares a standard is learnt from at most: quantiles are limited to 2^24
_KNOTS = 17


class Layers(Preprocessor):
    r"""The energy of each layer, and each cell's share of it: layers + cells values, all in [0, 1).

    With :math:`f_l = E_l / E` the fraction of the incident energy in layer :math:`l` and :math:`s_c = E_c / E_l` a
    cell's share of it,

    .. math::
        u_l = \tfrac12 \left(1 + \frac{z}{1 + |z|}\right), \quad z = \frac{\ln f_l - \mu_l(E)}{\sigma_l(E)},
        \qquad w_c = \frac{\sqrt{s_c}}{\sqrt{s_c} + m_c(E)}.

    :math:`\mu_l`, :math:`\sigma_l` (over showers that reach the layer) and the mean root :math:`m_c` are learnt and
    interpolated in :math:`\ln E`. An empty layer or cell is exactly 0, the typical one about 1/2; a layer with at
    most 1e-10 of the incident energy counts as empty. The inverse divides the shares by their sum, so that the layer's
    energy is what :math:`u_l` says whatever a network makes of the shares, unless all are 0; layers above ten times the incident energy
    are cut there. Source: ours.
    """

    range = (0.0, 1.0)
    layer: Tensor

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry)
        index = [torch.full((layer.cells,), k) for k, layer in enumerate(geometry.layers)]
        self.register_buffer("layer", torch.cat(index), persistent=False)  # (cells,)
        self.totals = nn.ModuleList(networks.EnergyStandard(1) for _ in geometry.layers)
        self.shares = networks.EnergyStandard(geometry.cells, _KNOTS)

    @property
    def features(self) -> int:
        """One value per layer, then one per cell."""
        return len(self.totals) + len(self.layer)

    def fit(self, energies: Tensor, incident: Tensor) -> None:
        """Learn the standards from training showers: (n, cells) and (n, 1), MeV."""
        totals, shares = self._split(energies)
        for k, standard in enumerate(self.totals):
            fractions = totals[:, k : k + 1] / incident
            seen = fractions[:, 0] > _LEAST
            if seen.any():
                standard.fit(fractions[seen].log(), incident[seen])  # type: ignore[operator]
        few = slice(None, None, 1 + shares.numel() // _ELEMENTS)
        self.shares.fit(shares[few].sqrt(), incident[few])

    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Values (n, layers + cells) of ``energies`` (n, cells), MeV, at ``incident`` energies (n, 1), MeV."""
        totals, shares = self._split(energies)
        mean, width = self._curves(incident)
        fractions = totals / incident
        z = (fractions.clamp(min=_LEAST).log() - mean) / width
        # Not 1/2 (1 + z / (1 + |z|)), which rounds to 0 where z is far below.
        levels = torch.where(z < 0, 0.5 / (1 + z.abs()), 1 - 0.5 / (1 + z.abs()))
        root = torch.where(shares > 0, torch.where(shares > 0, shares, 1.0).sqrt(), 0.0)  # no infinite slope at 0
        return torch.cat([torch.where(fractions > _LEAST, levels, 0.0), root / (root + self._typical(incident))], dim=1)

    def inverse(self, values: Tensor, incident: Tensor) -> Tensor:
        """Energies (n, cells), MeV, of ``values`` (n, layers + cells); others than in [0, 1) count as its end."""
        values = values.clamp(0, _LAST)
        levels, parts = values[:, : len(self.totals)], values[:, len(self.totals) :]
        mean, width = self._curves(incident)
        seen = levels > 0
        level = torch.where(seen, levels, 0.5)
        z = torch.where(level < 0.5, 1 - 0.5 / level, 0.5 / (1 - level) - 1)
        limit = torch.full_like(z, _MOST).log()
        totals = torch.where(seen, torch.minimum(mean + width * z, limit).exp(), 0.0) * incident
        shares = (parts / (1 - parts) * self._typical(incident)).square()
        sums = torch.stack([shares[:, cells].sum(dim=1) for cells in self.geometry.slices], dim=1)
        return shares / torch.where(sums > 0, sums, 1.0)[:, self.layer] * totals[:, self.layer]

    def _split(self, energies: Tensor) -> tuple[Tensor, Tensor]:
        """Layer energies (n, layers) and each cell's share of its layer (n, cells)."""
        totals = torch.stack([energies[:, cells].sum(dim=1) for cells in self.geometry.slices], dim=1)
        return totals, energies / torch.where(totals > 0, totals, 1.0)[:, self.layer]

    def _curves(self, incident: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and width of ln(layer fraction), each (n, layers)."""
        curves = [standard.curves(incident) for standard in self.totals]  # type: ignore[operator]
        mean, width = (torch.cat(parts, dim=1) for parts in zip(*curves, strict=True))
        return mean, width.clamp(min=_WIDTH)

    def _typical(self, incident: Tensor) -> Tensor:
        """Typical roots of the shares, (n, cells)."""
        return self.shares.curves(incident)[0].clamp(min=_SHARE)

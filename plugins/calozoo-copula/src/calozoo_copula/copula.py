"""The Gaussian copula: normal scores, which are correlated as those of training showers, and what they mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.special import ndtr, ndtri

from calozoo import Geometry, networks
from calozoo_copula import smooth
from calozoo_copula.frame import Impact

_KNOTS, _REACH = 13, 3.0  # of the tables of values, at conditional normal scores from -_REACH to _REACH
_FEW = 2.0  # showers that a table of all energies counts for
_SWEEPS = 4  # of the imputation of scores that are not known
_NODES = 80  # of the warp of absolute energies
_WARP_DEGREE, _WARP_MOST = 3, 1.5


class Copula(nn.Module):
    r"""A map between normal scores and cell energies, and the joint distribution of the scores.

    There are layers + cells scores g. The first is that of the total energy over the incident one, in units of the mean
    and width at that energy; the next are those of each layer's share of what the layers before have left, from the
    layer with the least energy to that with the most; the others are those of each cell's share of its layer. A variable
    is zero where :math:`g \le t(E)`, and otherwise a tabulated function of the conditional normal score
    :math:`h = \Phi^{-1}(1 - \Phi(-g) / \Phi(-t))`; thresholds and tables are polynomials in ln E. Scores have a mean and
    width that depend on the :class:`Impact`, and the correlations of training showers at a few energies.

    Shares know nothing of absolute energies, such as that of a minimum ionising particle: a monotone shift of ln(E_cell)
    per layer gives each layer's spectrum of cells the shape that it has in training showers. Source: ours.

    Energies are those of turned showers. Memory grows with (layers + cells)^2.
    """

    order: Tensor
    thresholds: Tensor
    tables: Tensor
    means: Tensor
    widths: Tensor
    roots: Tensor
    nodes: Tensor
    warps: Tensor
    members: Tensor
    layer: Tensor

    def __init__(self, geometry: Geometry, places: int, anchors: int) -> None:
        super().__init__()
        self.layers, self.cells, self.anchors = len(geometry.layers), geometry.cells, anchors
        self.size = size = self.layers + self.cells
        self.slices = geometry.slices
        members = torch.zeros(self.cells, self.layers)
        for k, cells in enumerate(geometry.slices):
            members[cells, k] = 1.0
        degrees = smooth.DEGREE + 1
        self.register_buffer("members", members, persistent=False)
        self.register_buffer("layer", members.argmax(dim=1), persistent=False)  # (cells,)
        self.register_buffer("order", torch.arange(self.layers))  # layers, from the least to the most energy
        self.register_buffer("thresholds", torch.zeros(degrees, size))
        self.register_buffer("tables", torch.zeros(degrees, _KNOTS, size))
        self.register_buffer("means", torch.zeros(3 * places, size))
        self.register_buffer("widths", torch.zeros(3 * places, size))  # logarithms of variances
        self.register_buffer("roots", torch.zeros(anchors * size, size))
        self.register_buffer("nodes", torch.tensor([0.0, 1.0]))  # ends of the warp, ln(E / MeV)
        self.register_buffer("warps", torch.zeros(_WARP_DEGREE + 1, self.layers * _NODES))
        self.response = networks.EnergyStandard(1)

    # ---- from scores to energies ----------------------------------------------------------------------------------

    def draw(self, noise: Tensor, impact: Impact) -> Tensor:
        """Correlated scores (n, size) from ``noise`` (n, size), N(0, 1)."""
        anchors = smooth.hats(impact.u, self.anchors)
        correlated = (anchors[:, :, None] * noise[:, None, :]).flatten(1) @ self.roots
        return impact.basis @ self.means + self._width(impact) * correlated

    def decode(self, scores: Tensor, impact: Impact, *, warp: bool = True) -> Tensor:
        """Cell energies (n, cells), MeV, with exact zeros; differentiable in ``scores`` (n, size)."""
        threshold = impact.smooth @ self.thresholds
        part = (ndtr(-scores) / ndtr(-threshold)).clamp(1e-7, 1 - 1e-6)
        tables = (impact.smooth @ self.tables.flatten(1)).unflatten(1, self.tables.shape[1:])
        values = smooth.interpolate(tables, (_REACH - ndtri(part)) * ((_KNOTS - 1) / (2 * _REACH)))
        above = scores - threshold
        total = self.response.inverse(values[:, :1], impact.incident).clamp(min=1e-3) * impact.incident
        parts = torch.sigmoid(values[:, 1 : self.layers]) * (above[:, 1 : self.layers] > 0)
        shares = self._layer_shares(parts)
        # A layer that has energy has a cell that holds it: the nearest to its threshold, where none is above.
        above = above[:, self.layers :]
        most = torch.stack([above[:, cells].amax(dim=1) for cells in self.slices], dim=1).clamp(max=0) @ self.members.T
        weights = values[:, self.layers :].clamp(-60, 0.5).exp() * (above >= most)
        cells = weights * ((shares * total / (weights @ self.members)) @ self.members.T)
        return self._warped(cells, shares, total, impact) if warp else cells

    def _layer_shares(self, parts: Tensor) -> Tensor:
        """Each layer's share of the total, (n, layers), in the layers' own order, from what each takes of the rest."""
        ones = parts.new_ones(len(parts), 1)
        rest = torch.cat([ones, (1 - parts).cumprod(dim=1)], dim=1)
        return (torch.cat([parts, ones], dim=1) * rest)[:, self.order.argsort()]

    def _warped(self, cells: Tensor, shares: Tensor, total: Tensor, impact: Impact) -> Tensor:
        """``cells`` with the absolute energies of the simulation; the two largest layers share what keeps the total."""
        cells = cells * self._warp(cells, impact).exp()
        sums = cells @ self.members
        large = torch.zeros(self.layers, device=cells.device).index_fill(0, self.order[-2:], 1.0)
        rest = torch.maximum(total - (sums * (1 - large)).sum(dim=1, keepdim=True), 0.05 * total)
        held = shares * large
        wanted = sums * (1 - large) + rest * held / held.sum(dim=1, keepdim=True).clamp(min=1e-12)
        return cells * ((wanted / sums.clamp(min=1e-20)) @ self.members.T)

    def _warp(self, cells: Tensor, impact: Impact) -> Tensor:
        """Shift of ln(E_cell), (n, cells)."""
        unit = (self.nodes[1] - self.nodes[0]) / (_NODES - 1)
        place = ((cells.clamp(min=1e-9).log() - self.nodes[0]) / unit).clamp(0, _NODES - 1)
        left = place.detach().floor().clamp(max=_NODES - 2)
        index = left.long() + _NODES * self.layer
        curves = (impact.smooth[:, : _WARP_DEGREE + 1] @ self.warps).clamp(-_WARP_MOST, _WARP_MOST)
        low = curves.gather(1, index)
        return low + (curves.gather(1, index + 1) - low) * (place - left)

    def _width(self, impact: Impact) -> Tensor:
        return (0.5 * (impact.basis @ self.widths)).clamp(-3, 1).exp()

    # ---- learning ---------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def fit(self, cells: Tensor, impact: Impact, seed: int = 0) -> None:
        """Learn from turned training showers ``cells`` (n, cells), MeV."""
        random = torch.Generator(cells.device).manual_seed(seed)
        rows = smooth.groups(impact.incident)
        sums = cells @ self.members
        self.order = sums.div(impact.incident).mean(dim=0).argsort()
        self.response.fit(sums.sum(dim=1, keepdim=True) / impact.incident, impact.incident)
        values = self._variables(cells, sums, impact)
        scores = self._marginals(values, impact, rows, random)
        self._joint(scores, values, impact, rows, random)
        self._fit_warp(cells, impact, rows, random)

    def _variables(self, cells: Tensor, sums: Tensor, impact: Impact) -> Tensor:
        """What the scores stand for, (n, size): -inf where zero, NaN where undefined, as in an empty layer."""
        total = sums.sum(dim=1, keepdim=True)
        ordered = sums[:, self.order]
        parts = (ordered / ordered.flip(1).cumsum(dim=1).flip(1))[:, :-1]
        shares = cells / (sums @ self.members.T)
        response = self.response(total / impact.incident, impact.incident)
        return torch.cat([response, torch.logit(parts.clamp(max=1 - 1e-6)), shares.log()], dim=1)

    def _marginals(self, values: Tensor, impact: Impact, rows: list[Tensor], random: torch.Generator) -> Tensor:
        """Learn thresholds and tables; the scores (n, size), drawn at random where they are not known."""
        scores = torch.empty_like(values)
        at = torch.linspace(-_REACH, _REACH, _KNOTS, dtype=torch.float64, device=values.device)
        found: list[tuple[Tensor, ...]] = []
        for group in rows:
            here = values[group]
            some = torch.isfinite(here)
            defined, positive = (~here.isnan()).sum(dim=0), some.sum(dim=0)
            zero = ((defined - positive).double() / defined.clamp(min=1)).clamp(0.2 / len(group), 1 - 0.2 / len(group))
            ranked, index = here.masked_fill(~some, torch.inf).sort(dim=0)
            last = (positive - 1).clamp(min=0)
            place = torch.minimum((ndtr(at)[:, None] * positive - 0.5).clamp(min=0), last.double())
            low, high = ranked.gather(0, place.long()), ranked.gather(0, torch.minimum(place.long() + 1, last[None]))
            table = torch.lerp(low.double(), high.double(), place - place.floor())
            rank = index.argsort(dim=0)
            beyond = (positive - rank - 0.5) / positive.clamp(min=1) * (1 - zero)
            known = -ndtri(beyond.clamp(1e-9, 1 - 1e-9)).float()
            uniform = torch.rand(here.shape, generator=random, device=here.device)
            below = ndtri((uniform * torch.where(here.isnan(), 1.0, zero.float())).clamp(1e-7, 1 - 1e-7))
            scores[group] = torch.where(some, known, below)
            found.append((impact.u[group].mean(), ndtri(zero), defined, table.nan_to_num(0.0, 0.0, 0.0), positive))
        u, thresholds, defined, tables, positive = (torch.stack(parts) for parts in zip(*found, strict=True))
        sure = torch.where(thresholds < -3.5, 0.1, 1.0)  # where there was hardly a zero, the threshold is a bound
        self.thresholds = smooth.fit_energies(u, thresholds, defined * sure).to(values)
        # A variable that is hardly ever positive at an energy has nearly the table that it has at the others.
        share = (positive / (positive + _FEW))[:, None]
        pooled = (tables * positive[:, None]).sum(dim=0) / positive.sum(dim=0).clamp(min=1)
        tables = share * tables + (1 - share) * pooled
        self.tables = smooth.fit_energies(u, tables, (positive + _FEW)[:, None].expand_as(tables)).to(values)
        return scores

    def _joint(
        self, scores: Tensor, values: Tensor, impact: Impact, rows: list[Tensor], random: torch.Generator
    ) -> None:
        """Learn how scores depend on the impact and on each other, imputing those of zeros by Gibbs sampling."""
        anchors = smooth.hats(impact.u, self.anchors)
        missing, limits = ~torch.isfinite(values), impact.smooth @ self.thresholds
        limits = torch.where(values.isnan(), torch.inf, limits)
        for sweep in range(_SWEEPS + 1):
            self.means = smooth.fit_ridge(impact.basis, scores)
            mean = impact.basis @ self.means
            # The logarithm of a squared normal number is -1.27 on average.
            self.widths = smooth.fit_ridge(impact.basis, ((scores - mean).square() + 1e-3).log() + 1.27)
            width = self._width(impact)
            residuals = (scores - mean) / width
            covariances = self._covariances(residuals, anchors)
            if sweep == _SWEEPS:
                break
            for group in rows:
                weights = anchors[group].mean(dim=0).double()
                precision = torch.linalg.inv(torch.einsum("a,aij->ij", weights, covariances)).to(scores)
                here, unknown = residuals[group].T.contiguous(), missing[group].T
                limit = ((limits[group] - mean[group]) / width[group]).T
                for k in unknown.any(dim=1).nonzero()[:, 0].tolist():
                    at = unknown[k].nonzero()[:, 0]
                    centre = here[k, at] - (precision[k] @ here)[at] / precision[k, k]
                    spread = precision[k, k] ** -0.5
                    uniform = torch.rand(len(at), generator=random, device=at.device)
                    below = uniform * ndtr((limit[k, at] - centre) / spread)
                    here[k, at] = centre + spread * ndtri(below.clamp(1e-7, 1 - 1e-7))
                scores[group] = here.T * width[group] + mean[group]
        eigenvalues, vectors = torch.linalg.eigh(covariances)
        roots = (vectors * eigenvalues.clamp(min=1e-6).sqrt()[:, None]) @ vectors.mT
        self.roots = roots.flatten(0, 1).to(scores)

    def _covariances(self, residuals: Tensor, anchors: Tensor) -> Tensor:
        """Covariances (anchors, size, size) of ``residuals``; where showers are few, closer to that of all of them."""
        pooled = (residuals.T @ residuals).double() / len(residuals)
        pooled = 0.99 * pooled + 0.01 * torch.diag(pooled.diagonal())
        own = torch.stack([(residuals.T @ (w[:, None] * residuals)).double() for w in anchors.T])
        return (own + 30.0 * pooled) / (anchors.sum(dim=0).double() + 30.0)[:, None, None]

    def _fit_warp(self, cells: Tensor, impact: Impact, rows: list[Tensor], random: torch.Generator) -> None:
        """Learn the shifts that give showers of the copula each layer's mean number of cells above every energy."""
        seen = cells[cells > 0]
        seen = seen[torch.randint(len(seen), (100_000,), generator=random, device=seen.device)].log()
        self.nodes = torch.quantile(seen, torch.tensor([0.005, 0.995], device=seen.device))
        grid = torch.linspace(0, 1, _NODES, device=seen.device) * (self.nodes[1] - self.nodes[0]) + self.nodes[0]
        shifts = cells.new_zeros(len(rows), self.layers, _NODES)
        weights = torch.ones_like(shifts)  # of no shift, where nothing is known
        for g, group in enumerate(rows):
            made = []
            for part in group.split(2000):
                noise = torch.randn(len(part), self.size, generator=random, device=part.device)
                made.append(self.decode(self.draw(noise, impact[part]), impact[part], warp=False))
            for k, where in enumerate(self.slices):
                both = (torch.cat(made)[:, where], cells[group][:, where])
                ours, theirs = (x[x > 0].log().sort(descending=True).values for x in both)
                if min(len(ours), len(theirs)) < 20:
                    continue
                above = len(ours) - torch.searchsorted(ours.flip(0), grid)
                known = above < len(theirs)
                shift = theirs[above.clamp(max=len(theirs) - 1)] - grid
                first = shift[known.float().argmax()] if known.any() else shift.new_zeros(())
                shifts[g, k] = torch.where(known, shift, first)
                weights[g, k] = above.clamp(min=1)
        taper = (self.nodes[1] - grid).clamp(0, 1)  # none at the largest energies, where the warp ends
        u = torch.stack([impact.u[group].mean() for group in rows])
        fitted = smooth.fit_energies(
            u, (shifts.clamp(-_WARP_MOST, _WARP_MOST) * taper).flatten(1), weights.flatten(1), _WARP_DEGREE
        )
        self.warps = fitted.to(cells)

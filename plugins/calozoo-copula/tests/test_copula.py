from __future__ import annotations

from statistics import NormalDist

import pytest
import torch

from calozoo.testing import ToyGeometry
from calozoo_copula.copula import Copula
from calozoo_copula.frame import Impact

N, CELLS, LAYERS = 40, 13, 3


def copula(threshold: float = -1.0) -> Copula:
    """A copula of hand-made numbers: every table is 0.1 h, and the total as wide as 10 %."""
    made = Copula(ToyGeometry(), places=1, anchors=2)
    made.thresholds[0] = threshold
    made.tables[0] = 0.1 * torch.linspace(-3, 3, 13)[:, None]
    made.thresholds[0, 0] = -6.0  # the total is never zero
    made.response.mean.fill_(1.0)
    made.response.width.fill_(0.1)
    return made


def impact(n: int = N) -> Impact:
    return Impact(torch.full((n, 1), 1000.0), torch.zeros(n), torch.ones(n, 1), torch.zeros(n, 0, dtype=torch.int64))


def scores(n: int = N) -> torch.Tensor:
    return torch.randn(n, LAYERS + CELLS, generator=torch.Generator().manual_seed(0))


def test_scores_become_energies_by_the_formula() -> None:
    normal, g = NormalDist(), scores()
    cells = copula().decode(g, impact(), warp=False)

    def value(score: float, threshold: float) -> float | None:
        if score <= threshold:
            return None
        return 0.1 * -normal.inv_cdf(normal.cdf(-score) / normal.cdf(-threshold))

    for row in range(N):
        numbers = g[row].tolist()
        response = value(numbers[0], -6.0)
        assert response is not None
        left, sums = 1000 * (1 + 0.1 * response), []
        for score in numbers[1:LAYERS]:
            y = value(score, -1.0)
            share = 0.0 if y is None else 1 / (1 + torch.exp(torch.tensor(-y)).item())
            sums.append(left * share)
            left -= sums[-1]
        sums.append(left)
        for where, total in zip(ToyGeometry().slices, sums, strict=True):
            weights = [value(score, -1.0) for score in numbers[LAYERS:][where]]
            raw = torch.tensor([0.0 if y is None else torch.exp(torch.tensor(y)).item() for y in weights])
            torch.testing.assert_close(cells[row, where], total * raw / raw.sum(), rtol=2e-3, atol=1e-3)


def test_cells_below_the_threshold_are_exactly_empty() -> None:
    g = scores()
    cells = copula().decode(g, impact())
    below = g[:, LAYERS:] <= -1
    assert bool(below.any())
    assert bool((cells[below] == 0).all())


def test_a_layer_with_energy_has_a_cell_with_energy() -> None:
    g = scores()
    g[:, LAYERS:] = -5.0
    g[:, 1:LAYERS] = 1.0
    g[torch.arange(N), LAYERS + 2] = -4.0
    cells = copula().decode(g, impact())
    assert bool((cells[:, 2] > 0).all())
    assert bool((cells[:, [0, 1, 3]] == 0).all())
    assert bool((cells[:, 4:10].sum(dim=1) > 0).all())


def test_the_total_is_kept_by_the_warp() -> None:
    made = copula()
    made.warps[0] = torch.linspace(-0.5, 0.5, made.warps.shape[1])
    made.nodes.copy_(torch.tensor([0.0, 6.0]))
    before, after = (made.decode(scores(), impact(), warp=warp) for warp in (False, True))
    torch.testing.assert_close(after.sum(dim=1), before.sum(dim=1), rtol=1e-4, atol=0)
    assert not torch.allclose(after, before, rtol=0.05)
    assert torch.equal(after == 0, before == 0)


def test_energies_have_gradients_in_the_scores() -> None:
    made, where = copula().double(), impact(3)
    doubled = Impact(where.incident.double(), where.u.double(), where.place.double(), where.turns)
    g = scores(3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: made.decode(x, doubled), (g,), eps=1e-7, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("warp", [False, True])
def test_extreme_scores_give_finite_energies_and_gradients(warp: bool) -> None:
    g = (1e3 * scores()).requires_grad_()
    cells = copula().decode(g, impact(), warp=warp)
    assert bool(torch.isfinite(cells).all())
    assert bool(torch.isfinite(torch.autograd.grad(cells.square().sum(), g)[0]).all())

"""Functions of the condition that are smooth by construction, and their fits."""

from __future__ import annotations

import torch
from torch import Tensor

DEGREE = 5  # of the polynomials in the logarithm of the incident energy


def legendre(u: Tensor, degree: int = DEGREE) -> Tensor:
    """Legendre polynomials of order 0 to ``degree`` at ``u`` (n,), (n, degree + 1).

    >>> legendre(torch.tensor([1.0, 0.0]), 2).tolist()
    [[1.0, 1.0, 1.0], [1.0, 0.0, -0.5]]
    """
    p = [torch.ones_like(u), u]
    for k in range(1, degree):
        p.append(((2 * k + 1) * u * p[k] - k * p[k - 1]) / (k + 1))
    return torch.stack(p[: degree + 1], dim=1)


def hats(u: Tensor, nodes: int) -> Tensor:
    """Piecewise linear functions of ``u`` (...) in [-1, 1], (..., nodes): 1 at one node each, and 1 in sum.

    >>> hats(torch.tensor([-1.0, 0.5]), 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]
    """
    place = (u.clamp(-1, 1) + 1) * (nodes - 1) / 2
    return (1 - (place[..., None] - torch.arange(nodes, dtype=u.dtype, device=u.device)).abs()).clamp(min=0)


def interpolate(table: Tensor, place: Tensor) -> Tensor:
    """Piecewise linear functions at ``place`` (n, size), in units of the knots of ``table`` (n, knots, size).

    They go on straight beyond the first and last knot.
    """
    left = place.detach().floor().clamp(0, table.shape[1] - 2)
    low, high = (table.gather(1, index[:, None])[:, 0] for index in (left.long(), left.long() + 1))
    return low + (high - low) * (place - left)


def fit_energies(u: Tensor, values: Tensor, weights: Tensor, degree: int = DEGREE, ridge: float = 1e-4) -> Tensor:
    """Coefficients (degree + 1, ...) of :func:`legendre` for ``values`` at ``u`` (k,), with ``weights``, both (k, ...).

    Higher orders are held back by ``ridge``, and left out where there are not about twice as many energies.
    """
    orders = min(degree, len(u) - 1, (len(u) + 1) // 2) + 1
    p = legendre(u.double(), max(degree, 1))[:, :orders]
    y, w = values.double().flatten(1), weights.double().flatten(1)
    damping = ridge * torch.diag(torch.tensor([0.0, 0.02, *(4.0**k for k in range(DEGREE))][:orders]))
    eye = 1e-9 * torch.eye(orders, dtype=p.dtype, device=p.device)
    matrix = torch.einsum("ep,ev,eq->vpq", p, w, p) + w.sum(dim=0)[:, None, None] * damping.to(p) + eye
    solved = torch.linalg.solve(matrix, torch.einsum("ep,ev,ev->vp", p, w, y))
    fitted = values.new_zeros(degree + 1, y.shape[1])
    fitted[:orders] = solved.T.to(fitted)
    return fitted.reshape(degree + 1, *values.shape[1:]).contiguous()


def fit_ridge(basis: Tensor, values: Tensor, ridge: float = 3.0) -> Tensor:
    """Coefficients (m, size) of ``basis`` (n, m) for ``values`` (n, size), as if ``ridge`` rows more had said zero."""
    basis64 = basis.double()
    matrix = basis64.T @ basis64 + ridge * torch.eye(basis.shape[1], dtype=torch.float64, device=basis.device)
    return torch.linalg.solve(matrix, (basis.T @ values).double()).to(values).contiguous()


def groups(incident: Tensor, most: int = 24, least: int = 200) -> list[Tensor]:
    """Rows of equal incident energy (n, 1), or, where there are more than ``most``, ``least`` neighbouring ones or more."""
    values = incident[:, 0]
    energies, index = torch.unique(values, return_inverse=True)
    if len(energies) > most:
        return list(values.argsort(stable=True).tensor_split(min(most, max(1, len(values) // least))))
    return [(index == k).nonzero()[:, 0] for k in range(len(energies))]

from __future__ import annotations

import torch

from calozoo_copula import smooth


def test_energies_fit_a_polynomial_that_there_is() -> None:
    u = torch.linspace(-1, 1, 9)
    values = torch.stack([1 + 2 * u, u**3 - u], dim=1)
    fitted = smooth.fit_energies(u, values, torch.full_like(values, 1000.0), ridge=1e-9)
    torch.testing.assert_close(smooth.legendre(u) @ fitted, values, rtol=1e-3, atol=1e-3)


def test_fewer_energies_have_lower_orders() -> None:
    for n in (1, 2, 3):
        u = torch.linspace(-1, 1, n) if n > 1 else torch.zeros(1)
        values = torch.rand(n, 4, generator=torch.Generator().manual_seed(0))
        fitted = smooth.fit_energies(u, values, torch.full_like(values, 100.0), ridge=1e-9)
        torch.testing.assert_close(smooth.legendre(u) @ fitted, values, rtol=1e-3, atol=1e-3)


def test_interpolation_goes_on_beyond_the_knots() -> None:
    table = torch.tensor([0.0, 1.0, 3.0])[None, :, None]
    places = [-1.0, 0.5, 1.5, 3.0]
    found = [smooth.interpolate(table, torch.tensor([[place]])).item() for place in places]
    assert found == [-1.0, 0.5, 2.0, 5.0]


def test_groups_are_energies_or_as_many_showers() -> None:
    discrete = torch.tensor([[1.0], [2.0], [1.0]])
    assert [group.tolist() for group in smooth.groups(discrete)] == [[0, 2], [1]]
    continuous = torch.rand(100, 1, generator=torch.Generator().manual_seed(0))
    parts = smooth.groups(continuous, most=8, least=25)
    assert [len(part) for part in parts] == [25] * 4
    assert sorted(torch.cat(parts).tolist()) == list(range(100))
    assert float(continuous[parts[0]].max()) < float(continuous[parts[1]].min())

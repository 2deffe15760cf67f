from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from calozoo import Critic, Sides


class Quadratic(Critic):
    """Half of |x|^2, plus c.x: the slope at x is x + c."""

    def __init__(self, **options: Any) -> None:
        super().__init__(None, penalty=1.0, **options)  # type: ignore[arg-type]
        self.c = nn.Parameter(torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64))

    def judge(self, view: Tensor, condition: Tensor) -> Tensor:
        return 0.5 * view.square().sum(dim=1, keepdim=True) + (view @ self.c)[:, None]


def points(n: int = 40) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    draw = [torch.randn(n, 3, generator=random, dtype=torch.float64) for _ in range(2)]
    return (*draw, torch.zeros(n, 1), torch.rand(n, 1, generator=random, dtype=torch.float64))


@pytest.mark.parametrize("sides", list(Sides))
def test_gradient_penalty_is_the_formula(sides: Sides) -> None:
    critic = Quadratic(sides=sides)
    real, fake, condition, mix = points()
    penalty = critic.gradient_penalty(real, fake, condition, mix)
    total = 0.0
    for r, f, m in zip(real.tolist(), fake.tolist(), mix[:, 0].tolist(), strict=True):
        slope = [m * a + (1 - m) * b + c for a, b, c in zip(r, f, [0.5, -1.0, 2.0], strict=True)]
        excess = sum(s * s for s in slope) ** 0.5 - 1
        total += excess**2 if sides is Sides.two or excess > 0 else 0.0
    assert penalty.item() == pytest.approx(total / len(real), rel=1e-9)


def test_one_sided_forgives_short_gradients() -> None:
    with torch.no_grad():
        one, two = Quadratic(sides=Sides.one), Quadratic(sides=Sides.two)
        one.c.zero_()
        two.c.zero_()
    near = torch.full((5, 3), 0.1, dtype=torch.float64)
    mix = torch.full((5, 1), 0.5)
    assert one.gradient_penalty(near, near, mix, mix).item() == 0
    assert two.gradient_penalty(near, near, mix, mix).item() == pytest.approx((0.1 * 3**0.5 - 1) ** 2)


def test_the_penalty_reaches_the_weights() -> None:
    critic = Quadratic()
    real, fake, condition, mix = points()
    gradient = torch.autograd.grad(critic.gradient_penalty(real, fake, condition, mix), critic.c)[0]
    for i in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[i] = 1e-6
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                critic.c += sign * step
            values.append(critic.gradient_penalty(real, fake, condition, mix).item())
            with torch.no_grad():
                critic.c -= sign * step
        assert gradient[i].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5)


def test_a_gradient_of_zero_length_is_no_nan() -> None:
    critic = Quadratic()
    at = -critic.c.detach()[None]
    penalty = critic.gradient_penalty(at, at, torch.zeros(1, 1), torch.zeros(1, 1))
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert bool(torch.isfinite(torch.autograd.grad(penalty, critic.c)[0]).all())

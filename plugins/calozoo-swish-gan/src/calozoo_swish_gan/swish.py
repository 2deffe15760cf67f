"""The activation that the poster names."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Swish(nn.Module):
    """Swish(x) = x sigmoid(beta x) with trainable beta, one for the layer or one per unit (arXiv:1710.05941).

    >>> Swish(1)(torch.tensor([0.0, 1.0])).tolist()
    [0.0, 0.7310585975646973]
    """

    def __init__(self, betas: int) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(betas))

    def forward(self, x: Tensor) -> Tensor:
        """Swish of ``x`` (n, units)."""
        return x * torch.sigmoid(self.beta * x)

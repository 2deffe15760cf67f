"""Which conditions a model sees, and how each is encoded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from calozoo.config import options as checked
from calozoo.errors import ConfigError, DataError, unknown
from calozoo.geometry import Geometry
from calozoo.showers import INCIDENT_ENERGY, Column, ColumnKind


class EncodingName(Enum):
    """How one column becomes network inputs."""

    linear = "linear"
    log = "log"
    log10 = "log10"
    one_hot = "one_hot"
    waves = "waves"


@dataclass
class Encoding:
    """One column's encoding.

    ``linear``, ``log`` and ``log10`` give (f(x) - ``offset``) / ``scale``; where those are not given they map the
    column's declared range to [-1, 1], or the training sample to mean 0 and variance 1 where none is declared.
    ``waves`` gives cos(pi k u) and sin(pi k u) of the linear u for k = 1 .. ``order``, which resolve a periodic dependence.
    ``one_hot`` gives an indicator per category of (x + ``shift``) modulo the number of categories; of a column that
    the geometry does not declare, such as a particle type, ``categories`` lists the values that it takes.
    """

    name: EncodingName = EncodingName.linear
    offset: float | None = None
    scale: float | None = None
    shift: int = 0
    order: int = 1
    categories: list[float] | None = None

    def inputs(self, column: Column) -> int:
        """How many network inputs it makes of ``column``."""
        return {EncodingName.one_hot: len(self.values(column)), EncodingName.waves: 2 * self.order}.get(self.name, 1)

    def values(self, column: Column) -> list[float]:
        """The values that ``column`` takes where it is categorical."""
        return list(range(column.categories)) if self.categories is None else self.categories


@dataclass
class ConditionOptions:
    """The config group ``conditions``.

    ``columns`` are required by name; ``kinds`` encode every column of that kind which the geometry defines.
    """

    columns: dict[str, Any] = field(default_factory=dict)  # name -> list of Encoding
    kinds: dict[str, Any] = field(default_factory=dict)  # name of a ColumnKind -> list of Encoding


def chosen(options: ConditionOptions, geometry: Geometry) -> list[tuple[Column, Encoding]]:
    """The (column, encoding) pairs that ``options`` mean for ``geometry``, in the order of encoding.

    Columns that the geometry does not declare may come from a file; they are taken as continuous. The incident
    energy must be among them with an invertible encoding, since models recover it from the condition.
    """
    declared = {
        INCIDENT_ENERGY: Column(INCIDENT_ENERGY, ColumnKind.energy, "MeV", 0.0),
        **{column.name: column for column in geometry.columns},
    }
    pairs = [
        (declared.get(name, Column(name, ColumnKind.other)), encoding)
        for name, encodings in options.columns.items()
        for encoding in _encodings(f"conditions.columns.{name}", encodings)
    ]
    pairs += [
        (column, encoding)
        for kind, encodings in options.kinds.items()
        for column in geometry.columns
        if column.kind is _kind(kind) and column.name not in options.columns
        for encoding in _encodings(f"conditions.kinds.{kind}", encodings)
    ]
    for column, encoding in pairs:
        values = encoding.values(column)
        if encoding.name is EncodingName.one_hot and not values:
            raise ConfigError(
                f"Condition '{column.name}' is continuous, or no column that the geometry declares, and cannot be one_hot; "
                "use linear, log or log10, or list the numbers that it takes, as in {name: one_hot, categories: [11, 22]}."
            )
        if encoding.order < 1 or encoding.scale == 0:
            raise ConfigError(f"Condition '{column.name}' needs an order of at least 1 and a scale other than 0.")
        if len(set(values)) < len(values):
            raise ConfigError(f"Condition '{column.name}': categories lists a value twice.")
        if encoding.categories is not None and encoding.name is not EncodingName.one_hot:
            raise ConfigError(f"Condition '{column.name}': categories belong to one_hot, not to {encoding.name.value}.")
    if not any(c.name == INCIDENT_ENERGY and e.name is not EncodingName.waves for c, e in pairs):
        raise ConfigError(f"The conditions must encode '{INCIDENT_ENERGY}'; for example conditions=energy does.")
    return pairs


def _encodings(path: str, encodings: Any) -> list[Encoding]:
    if not isinstance(encodings, (list, tuple)):
        raise ConfigError(f"{path}: a list of encodings is needed, such as [{{name: linear}}].")
    return [checked(e, Encoding, path) for e in encodings]


def _kind(name: str) -> ColumnKind:
    if name not in ColumnKind.__members__:
        raise ConfigError(unknown("kind of condition column", name, ColumnKind.__members__))
    return ColumnKind[name]


class Conditions(nn.Module):
    """Encodes condition columns: a table of named columns to a tensor (n, size).

    Offsets and scales are buffers, so that they are saved with the weights. ``pairs`` comes from :func:`chosen`.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, pairs: list[tuple[Column, Encoding]]) -> None:
        super().__init__()
        self.pairs = pairs
        self.register_buffer("offset", torch.zeros(len(pairs), dtype=torch.float64))
        self.register_buffer("scale", torch.ones(len(pairs), dtype=torch.float64))
        for i, (column, encoding) in enumerate(pairs):
            centre, half = (column.low + column.high) / 2, (column.high - column.low) / 2
            bounded = encoding.name in _STRAIGHT and np.isfinite(half) and half > 0
            self.offset[i] = encoding.offset if encoding.offset is not None else centre if bounded else 0.0
            self.scale[i] = encoding.scale if encoding.scale is not None else half if bounded else 1.0

    def fit(self, columns: Mapping[str, Any]) -> None:
        """Set the offsets and scales that neither the options nor the columns' ranges give, from training showers."""
        for i, (column, encoding) in enumerate(self.pairs):
            bounded = np.isfinite(column.low) and np.isfinite(column.high)
            if encoding.name is EncodingName.one_hot or (bounded and encoding.name in _STRAIGHT):
                continue
            values = _transform(column, self._values(column, columns), encoding)
            if encoding.offset is None:
                self.offset[i] = values.mean()
            if encoding.scale is None:
                spread = float(values.std(correction=0))
                self.scale[i] = spread if spread > 1e-9 * (1 + abs(float(values.mean()))) else 1.0  # beyond rounding

    @property
    def size(self) -> int:
        """How many inputs the conditions become."""
        return sum(encoding.inputs(column) for column, encoding in self.pairs)

    @property
    def names(self) -> list[str]:
        """The columns that are encoded."""
        return list(dict.fromkeys(column.name for column, _ in self.pairs))

    @property
    def categories(self) -> dict[str, list[float]]:
        """The values of those columns that are encoded as categories, by name."""
        return {c.name: encoding.values(c) for c, encoding in self.pairs if encoding.name is EncodingName.one_hot}

    def forward(self, columns: Mapping[str, Any]) -> Tensor:
        """Encode ``columns`` (name to (n,) array or tensor) as (n, size) float32."""
        parts = []
        for i, (column, encoding) in enumerate(self.pairs):
            values = self._values(column, columns).to(self.offset.device)
            if encoding.name is EncodingName.one_hot:
                categories = encoding.values(column)
                equal = values[:, None] == torch.tensor(categories, dtype=values.dtype, device=values.device)
                if not bool((known := equal.any(dim=1)).all()):
                    row = int((~known).nonzero()[0])
                    raise DataError(
                        f"Condition '{column.name}', row {row} is {values[row].item():g}, and its categories are "
                        f"{', '.join(f'{category:g}' for category in categories)}."
                    )
                parts.append(equal.roll(encoding.shift, dims=1))
                continue
            scaled = ((_transform(column, values, encoding) - self.offset[i]) / self.scale[i])[:, None]
            if encoding.name is EncodingName.waves:
                phases = math.pi * scaled * torch.arange(1, encoding.order + 1, device=scaled.device)
                scaled = torch.cat([phases.cos(), phases.sin()], dim=1)
            parts.append(scaled)
        return torch.cat([part.to(torch.float32) for part in parts], dim=1)

    def incident(self, condition: Tensor) -> Tensor:
        """Recover the incident energy, (n, 1) MeV, from an encoded condition (n, size)."""
        return self._decoded(INCIDENT_ENERGY, condition)[:, None]  # chosen() saw to it that it can be

    def columns(self, condition: Tensor) -> dict[str, Tensor]:
        """Recover every column, (n,), from an encoded condition (n, size); waves alone lose what lies beyond a period."""
        return {name: self._decoded(name, condition) for name in self.names}

    def _decoded(self, name: str, condition: Tensor) -> Tensor:
        """The column ``name``, (n,), from the most precise of its encodings."""
        ends = np.cumsum([encoding.inputs(column) for column, encoding in self.pairs]).tolist()
        own = [i for i, (column, _) in enumerate(self.pairs) if column.name == name]
        i = min(own, key=lambda i: _PRECISE.index(self.pairs[i][1].name))
        column, encoding = self.pairs[i]
        inputs = condition[:, ends[i] - encoding.inputs(column) : ends[i]]
        if encoding.name is EncodingName.one_hot:
            categories = torch.tensor(encoding.values(column), dtype=condition.dtype, device=condition.device)
            return categories[inputs.roll(-encoding.shift, dims=1).argmax(dim=1)]
        scaled = inputs[:, 0]
        if encoding.name is EncodingName.waves:
            scaled = torch.atan2(inputs[:, encoding.order], scaled) / math.pi
        values = scaled * self.scale[i].float() + self.offset[i].float()
        match encoding.name:
            case EncodingName.log:
                return values.exp()
            case EncodingName.log10:
                return 10**values
        return values

    def _values(self, column: Column, columns: Mapping[str, Any]) -> Tensor:
        if column.name not in columns:
            raise DataError(
                unknown("condition column", column.name, columns)
                + " Choose other conditions (conditions=energy needs the incident energy alone) or bring the column."
            )
        return torch.as_tensor(columns[column.name]).to(torch.float64)


_STRAIGHT = (EncodingName.linear, EncodingName.waves)
#: From the most to the least precise to recover a column from: a logarithm keeps its relative precision at low energies.
_PRECISE = (EncodingName.log, EncodingName.log10, EncodingName.linear, EncodingName.one_hot, EncodingName.waves)


def _transform(column: Column, values: Tensor, encoding: Encoding) -> Tensor:
    if encoding.name in (EncodingName.log, EncodingName.log10) and not bool((good := values > 0).all()):
        row = int((~good).nonzero()[0])
        raise DataError(
            f"Condition '{column.name}', row {row} is {values[row].item():g}, which has no logarithm; encode it linear."
        )
    match encoding.name:
        case EncodingName.log:
            return values.log()
        case EncodingName.log10:
            return values.log10()
    return values

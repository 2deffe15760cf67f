"""calozoo: a model zoo for fast calorimeter simulation.

The names below are the public interface, all that a plugin may import; each is loaded when it is first used, so that
importing calozoo does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calozoo import h5files as h5files
    from calozoo import networks as networks
    from calozoo.critic import Critic as Critic
    from calozoo.critic import Sides as Sides
    from calozoo.data import DataSource as DataSource
    from calozoo.data import Rows as Rows
    from calozoo.data import SplitFractions as SplitFractions
    from calozoo.data import take_split as take_split
    from calozoo.errors import CalozooError as CalozooError
    from calozoo.errors import ConfigError as ConfigError
    from calozoo.errors import DataError as DataError
    from calozoo.generator import Batch as Batch
    from calozoo.generator import Distribution as Distribution
    from calozoo.generator import Generator as Generator
    from calozoo.generator import Noise as Noise
    from calozoo.generator import Player as Player
    from calozoo.generator import Space as Space
    from calozoo.geometry import Cells as Cells
    from calozoo.geometry import Geometry as Geometry
    from calozoo.geometry import Layer as Layer
    from calozoo.h5files import Unit as Unit
    from calozoo.hooks import hookimpl as hookimpl
    from calozoo.metric import Direction as Direction
    from calozoo.metric import Metric as Metric
    from calozoo.metric import Score as Score
    from calozoo.metric import Value as Value
    from calozoo.options import Activation as Activation
    from calozoo.options import Initialiser as Initialiser
    from calozoo.options import Split as Split
    from calozoo.preprocessor import Preprocessor as Preprocessor
    from calozoo.shower_file import ShowerFile as ShowerFile
    from calozoo.shower_file import open_showers as open_showers
    from calozoo.shower_file import write_showers as write_showers
    from calozoo.showers import Column as Column
    from calozoo.showers import ColumnKind as ColumnKind
    from calozoo.showers import Showers as Showers
    from calozoo.simulator import Simulator as Simulator

_HOMES = {
    "critic": ("Critic", "Sides"),
    "data": ("DataSource", "SplitFractions", "Rows", "take_split"),
    "errors": ("CalozooError", "ConfigError", "DataError"),
    "generator": ("Batch", "Distribution", "Generator", "Noise", "Player", "Space"),
    "geometry": ("Cells", "Geometry", "Layer"),
    "h5files": ("Unit",),
    "hooks": ("hookimpl",),
    "metric": ("Direction", "Metric", "Score", "Value"),
    "options": ("Activation", "Initialiser", "Split"),
    "preprocessor": ("Preprocessor",),
    "shower_file": ("ShowerFile", "open_showers", "write_showers"),
    "showers": ("Column", "ColumnKind", "Showers"),
    "simulator": ("Simulator",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

_WHOLE = ("h5files", "networks")  # modules that are public as such

__all__ = sorted([*_MODULES, *_WHOLE])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _WHOLE:
        return import_module(f"calozoo.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'calozoo' has no attribute '{name}'")
    value = getattr(import_module(f"calozoo.{_MODULES[name]}"), name)
    globals()[name] = value
    return value

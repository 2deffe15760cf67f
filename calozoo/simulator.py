"""A Simulator generates showers: geometry, condition encoding, preprocessor and generator, saved as one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from calozoo.conditions import ConditionOptions, Conditions, chosen
from calozoo.config import create, options, plain
from calozoo.data import block_size
from calozoo.errors import ConfigError, DataError, RunError, unknown
from calozoo.files import read_json, refuse_interpolation, replacing, write_json
from calozoo.generator import Generator, Space
from calozoo.geometry import Geometry
from calozoo.preprocessor import Preprocessor
from calozoo.showers import INCIDENT_ENERGY, Showers

#: Rows that are generated together, each block from a random stream of its own.
BLOCK = 1024
_TABLE = 4096  # training showers whose conditions are kept, for drawing those that are not given
_FORMAT = 1
_PARTS = ("geometry", "preprocessor", "conditions", "model")


class Simulator(nn.Module):
    """What is trained, saved, loaded and shared: conditions in, showers out.

    ``config`` holds the components' names and options under ``geometry``, ``preprocessor``, ``conditions`` and
    ``model``.
    """

    table: Tensor  # (columns, rows), conditions seen in training

    def __init__(self, config: Mapping[str, Any], columns: tuple[str, ...] = (), rows: int = 0) -> None:
        super().__init__()
        self.config = {part: plain(config[part]) for part in _PARTS}
        self.geometry: Geometry = create("geometry", config["geometry"])
        self.preprocessor: Preprocessor = create("preprocessor", config["preprocessor"], self.geometry)
        encodings = options(config["conditions"], ConditionOptions, "conditions")
        self.conditions = Conditions(chosen(encodings, self.geometry))
        self.space = Space(self.geometry, self.preprocessor, self.conditions)
        self.generator: Generator = create("model", config["model"], self.space)
        self.columns = columns
        self.register_buffer("table", torch.zeros(len(columns), rows, dtype=torch.float64))

    def fit(self, showers: Showers) -> None:
        """Learn from training showers everything that is not trained: encodings, preprocessing, conditions seen."""
        device = self.table.device
        self.conditions.fit(showers.columns)
        incident = torch.as_tensor(showers.incident_energies, device=device)[:, None]
        self.preprocessor.fit(torch.as_tensor(showers.energies, device=device), incident)
        self._warn_beyond_range(showers)
        declared = [column.name for column in self.geometry.columns if column.name in showers.conditions]
        self.columns = tuple(dict.fromkeys([*self.conditions.names, *declared]))
        drawn = np.sort(np.random.default_rng(0).permutation(len(showers))[:_TABLE])  # files may be sorted by energy
        kept = showers[drawn].columns
        self.table = torch.stack([torch.as_tensor(kept[name].astype(np.float64)) for name in self.columns]).to(device)

    def _warn_beyond_range(self, showers: Showers) -> None:
        """A model cannot make values outside of the range that its output is scaled to."""
        low, high = (
            end if end is not None else sign * torch.inf for end, sign in zip(self.space.range, (-1, 1), strict=True)
        )
        beyond, step = 0, block_size(self.geometry.cells)
        for part in (showers[start : start + step] for start in range(0, len(showers), step)):
            incident = torch.as_tensor(part.incident_energies)[:, None].to(self.table.device)
            values = self.preprocessor(torch.as_tensor(part.energies, device=self.table.device), incident)
            beyond += int(((values < low) | (values > high)).any(dim=1).sum())
        if beyond:
            warnings.warn(
                f"{beyond} of {len(showers)} training showers have values beyond {low:g} to {high:g}, which is what "
                f"preprocessor={self.config['preprocessor']['name']} promises: no model will generate such. A cell that "
                "holds more than the incident energy does that; another preprocessor may suit these data.",
                stacklevel=2,
            )

    def given(self, columns: Mapping[str, Any], n: int) -> dict[str, np.ndarray[Any, Any]]:
        """Check conditions that a user gives for ``n`` showers: known columns, finite, positive energies."""
        for name, values in columns.items():
            if name not in self.columns:
                raise DataError(unknown("condition of this simulator", name, self.columns))
            if not np.isfinite(values).all():
                raise DataError(f"Condition '{name}' has values that are not finite.")
            if np.shape(values) not in ((), (n,)):
                raise DataError(f"{n} showers need '{name}' as one number or {n} of them, not {np.shape(values)}.")
        if INCIDENT_ENERGY in columns and not (np.asarray(columns[INCIDENT_ENERGY]) > 0).all():
            raise DataError("Incident energies must be positive, in MeV.")
        self._warn_beyond_training(columns)
        return {name: np.broadcast_to(values, (n,)) for name, values in columns.items()}

    def _warn_beyond_training(self, columns: Mapping[str, Any]) -> None:
        """Conditions far from those that were trained on give showers that nothing vouches for."""
        for name, values in columns.items() if self.table.shape[1] else ():
            seen = self.table[self.columns.index(name)]
            low, high, asked = float(seen.min()), float(seen.max()), np.asarray(values)
            margin = 0.02 * (high - low) + 1e-6 * abs(high)  # a part of the training showers is what is known
            if (
                name not in self.conditions.categories
                and asked.size
                and (asked.min() < low - margin or asked.max() > high + margin)
            ):
                what = "Incident energies" if name == INCIDENT_ENERGY else f"Values of '{name}'"
                unit = " MeV" if name == INCIDENT_ENERGY else ""
                warnings.warn(
                    f"{what} of {asked.min():.6g} to {asked.max():.6g}{unit} were asked for, and the training saw "
                    f"{low:.6g} to {high:.6g}{unit}: beyond that the showers are extrapolated.",
                    stacklevel=3,
                )

    def generate(
        self, n: int, columns: Mapping[str, Any], *, seed: int = 0, threshold: float = 0.0
    ) -> Iterator[Showers]:
        """Generate ``n`` showers block by block.

        ``columns`` gives conditions by name, each a number or (n,) of them; those that are not given are drawn
        together from what was seen in training. The same seed gives the same showers however they are asked for.
        Cells below ``threshold`` (MeV) are set to zero.
        """
        given = self.given(columns, n)
        table = dict(zip(self.columns, self.table.cpu().numpy(), strict=True))
        self.eval()
        for block, start in enumerate(range(0, n, BLOCK)):
            state = np.random.SeedSequence((seed, block)).generate_state(2, np.uint64)
            drawn = np.random.default_rng(state[0]).integers(0, self.table.shape[1], BLOCK)
            full = {
                name: _padded(given[name][start : start + BLOCK]) if name in given else table[name][drawn]
                for name in self.columns
            }
            random = torch.Generator(self.table.device).manual_seed(int(state[1] >> np.uint64(1)))
            energies = self.draw(full, random, threshold=threshold)
            if not np.isfinite(energies).all():
                raise RunError("The generator gave energies that are not finite; its weights are damaged or diverged.")
            rest = slice(0, min(BLOCK, n - start))
            conditions = {name: self._typed(name, full[name][rest]) for name in self.columns if name != INCIDENT_ENERGY}
            yield Showers(energies[rest], full[INCIDENT_ENERGY][rest], conditions)

    @torch.inference_mode()
    def draw(
        self, columns: Mapping[str, Any], random: torch.Generator, *, threshold: float = 0.0
    ) -> np.ndarray[Any, Any]:
        """Cell energies (n, cells), MeV, of one batch under the n rows of all ``columns``."""
        condition = self.conditions(columns)
        values = self.generator.sample(condition, self.generator.latent.draw(len(condition), random))
        incident = torch.as_tensor(columns[INCIDENT_ENERGY], dtype=torch.float32, device=self.table.device)[:, None]
        cells = self.preprocessor.inverse(values, incident)
        # Not a product with a mask, which would hide what is not a number.
        energies: np.ndarray[Any, Any] = torch.where(cells < threshold, 0.0, cells).cpu().numpy()
        return energies

    def _typed(self, name: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        categorical = any(column.name == name and column.categories for column in self.geometry.columns)
        return values.astype(np.uint8 if categorical else np.float32)

    # ---- saving and loading -------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write ``simulator.safetensors`` and ``simulator.json`` into ``folder``."""
        with replacing(folder / "simulator.safetensors") as temporary:
            save_file({name: tensor.contiguous().cpu() for name, tensor in self.state_dict().items()}, temporary)
        rows = self.table.shape[1]
        write_json(folder / "simulator.json", {"format": _FORMAT, **self.config, "columns": self.columns, "rows": rows})

    @staticmethod
    def load(folder: Path | str, device: torch.device | str = "cpu") -> Simulator:
        """Read what :meth:`save` wrote; names are looked up in the registry, so no file can name code to run."""
        folder = Path(folder)
        content = read_json(folder / "simulator.json")
        refuse_interpolation(content, folder / "simulator.json")
        try:
            if content["format"] != _FORMAT:
                raise RunError(f"{folder}/simulator.json has format {content['format']}; this version reads {_FORMAT}.")
            simulator = Simulator(content, tuple(content["columns"]), int(content["rows"]))
        except (LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as cause:
            raise RunError(
                f"{folder}/simulator.json is not a simulator of calozoo ({type(cause).__name__}: {cause})."
            ) from cause
        try:
            simulator.load_state_dict(load_file(folder / "simulator.safetensors"))
        except (OSError, SafetensorError, RuntimeError) as cause:
            reason = str(cause).splitlines()[0]
            raise RunError(
                f"{folder}/simulator.safetensors does not fit simulator.json or is damaged ({reason})."
            ) from cause
        return simulator.to(device)


def _padded(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.pad(values, (0, BLOCK - len(values)), mode="edge")


def find_device(name: str) -> torch.device:
    """The torch device of ``device=auto|cpu|gpu|mps``; ConfigError where it is asked for and missing."""
    if name == "gpu" and not torch.cuda.is_available():
        built = "this build of torch has no CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        raise ConfigError(f"device=gpu was asked for, and {built}. Use device=cpu or device=auto.")
    if name == "mps":
        raise ConfigError("device=mps does not work: conditions are kept in float64, which MPS lacks. Use device=cpu.")
    if name == "gpu" or (name == "auto" and torch.cuda.is_available()):
        return torch.device("cuda")
    return torch.device("cpu")

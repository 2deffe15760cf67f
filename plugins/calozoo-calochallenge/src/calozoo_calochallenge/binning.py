"""Reads binning files of the CaloChallenge: ``Bins > Bin pid etaMin etaMax name > Layer id r_edges n_bin_alpha``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from calozoo import DataError

# A file from a stranger must not fill the memory: far above anything published.
_BYTES = 2**20
_NUMBER = 10_000  # of layers, edges and sectors
_VOXELS = 2_000_000

_TREE = {"Bins": None, "Bin": "Bins", "Layer": "Bin"}


@dataclass(frozen=True)
class BinnedLayer:
    """A layer as the file has it."""

    id: int
    edges: tuple[float, ...]  # mm
    sectors: int


def read_binning(path: Path | str, particle: str = "") -> tuple[BinnedLayer, ...]:
    """Read the layers that have voxels, in the file's order; DataError says what is wrong with a file.

    ``particle`` is the name of the ``Bin`` to take and may be empty where there is one only.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    if path.stat().st_size > _BYTES:
        raise DataError(f"{path} is larger than {_BYTES} bytes: it is no binning file.")
    try:
        bins = _parse(path.read_bytes())
        names = [name for name, _ in bins]
        if not particle and len(bins) != 1:
            _bad(f"it has {len(bins)} Bin elements ({', '.join(names)}): choose one with geometry.particle=NAME")
        chosen = [layers for name, layers in bins if not particle or name == particle]
        if len(chosen) != 1:
            _bad(f"it has {len(chosen)} Bin elements of the name '{particle}' among: {', '.join(names)}")
        layers = tuple(layer for layer in chosen[0] if len(layer.edges) > 1)
        if not layers:
            _bad("it has no layer with voxels")
        if len({layer.id for layer in layers}) < len(layers):
            _bad("two layers have the same id")
        if sum((len(layer.edges) - 1) * layer.sectors for layer in layers) > _VOXELS:
            _bad(f"it has more than {_VOXELS} voxels")
    except (_FormError, expat.ExpatError) as cause:
        raise DataError(
            f"{path} is no binning file (Bins > Bin pid etaMin etaMax name > Layer id r_edges n_bin_alpha): {cause}."
        ) from cause
    return layers


class _FormError(Exception):
    """What is wrong with a file."""


def _bad(what: str) -> NoReturn:
    raise _FormError(what)


def _parse(text: bytes) -> list[tuple[str, list[BinnedLayer]]]:
    """The layers of each Bin element."""
    bins: list[tuple[str, list[BinnedLayer]]] = []
    above: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        parent = above[-1] if above else None
        if tag not in _TREE or _TREE[tag] != parent:
            _bad(f"the element {tag} does not belong {f'into {parent}' if parent else 'at the top'}")
        above.append(tag)
        if tag == "Bin":
            bins.append((attributes.get("name", ""), []))
        elif tag == "Layer":
            bins[-1][1].append(_layer(attributes))
            if len(bins[-1][1]) > _NUMBER:
                _bad(f"it has more than {_NUMBER} layers")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: above.pop() and None
    # Entities, which could grow without bound or read other files, need a document type.
    parser.StartDoctypeDeclHandler = lambda *_: _bad("it declares a document type")
    parser.Parse(text, True)
    return bins


def _layer(attributes: dict[str, str]) -> BinnedLayer:
    missing = [name for name in ("id", "r_edges", "n_bin_alpha") if name not in attributes]
    if missing:
        _bad(f"a Layer has no attribute {missing[0]}")
    where = f"layer {attributes['id'][:20]}"
    try:
        number, sectors = int(attributes["id"]), int(attributes["n_bin_alpha"])
        edges = tuple(float(edge) for edge in attributes["r_edges"].split(","))
    except ValueError:
        _bad(f"{where} has an attribute that is not a number")
    if number < 0 or not 1 <= sectors <= _NUMBER or len(edges) > _NUMBER:
        _bad(f"{where} has a negative id, or not 1 to {_NUMBER} sectors and edges")
    increasing = all(a < b for a, b in pairwise(edges))
    if not (increasing and edges[0] >= 0 and math.isfinite(edges[-1])):
        _bad(f"{where} has r_edges that do not increase from 0 or above")
    return BinnedLayer(number, edges, sectors)

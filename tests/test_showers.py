from __future__ import annotations

import numpy as np
import pytest

from calozoo import DataError, Showers


def showers(n: int = 4) -> Showers:
    return Showers(np.arange(n * 3).reshape(n, 3), np.arange(1, n + 1), {"side": np.arange(n) % 2})


def test_rows_are_selected_together() -> None:
    picked = showers()[np.array([2, 0])]
    assert picked.energies.tolist() == [[6, 7, 8], [0, 1, 2]]
    assert picked.incident_energies.tolist() == [3, 1]
    assert picked.conditions["side"].tolist() == [0, 0]


def test_concatenation_keeps_order_and_columns() -> None:
    joined = Showers.concatenate([showers(2), showers(3)])
    assert len(joined) == 5
    assert joined.incident_energies.tolist() == [1, 2, 1, 2, 3]
    assert joined.columns.keys() == {"incident_energy", "side"}


def test_concatenation_refuses_what_does_not_match() -> None:
    with pytest.raises(DataError, match="different cells or condition columns"):
        Showers.concatenate([showers(), Showers(np.ones((1, 3)), np.ones(1))])
    with pytest.raises(DataError, match="no showers"):
        Showers.concatenate([])


def test_is_frozen() -> None:
    with pytest.raises(AttributeError):
        showers().energies = np.zeros((1, 1))  # type: ignore[misc]
    with pytest.raises(TypeError):
        showers().conditions["side"] = np.zeros(4)  # type: ignore[index]


def test_a_column_of_one_is_flattened() -> None:
    assert Showers(np.ones((2, 3)), np.ones((2, 1))).incident_energies.shape == (2,)


@pytest.mark.parametrize(
    ("energies", "incident", "conditions", "reason"),
    [
        (np.ones(3), np.ones(3), {}, "shape"),
        (np.ones((3, 2)), np.ones(2), {}, "incident energies of shape"),
        (np.ones((3, 2)), np.ones(3), {"side": np.ones(2)}, "condition 'side'"),
    ],
)
def test_wrong_shapes_are_refused(energies, incident, conditions, reason) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=reason):
        Showers(energies, incident, conditions)


def test_threshold_keeps_what_reaches_it() -> None:
    above = Showers(np.array([[0.5, 1.0, 2.0]]), np.ones(1)).above(1.0)
    assert above.energies.tolist() == [[0.0, 1.0, 2.0]]
    assert above.total.tolist() == [3.0]

"""What every plugin of a kind must do, as pytest classes: subclass the one of your kind and name your component.

A test of a model is ``class TestMine(ModelContract): name = "mine"``.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import hydra
import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from calozoo import registry
from calozoo.config import create, schema, set_up_hydra
from calozoo.critic import Critic
from calozoo.data import DataSource
from calozoo.errors import DataError
from calozoo.generator import Batch, Generator, Space
from calozoo.geometry import Geometry
from calozoo.metric import Metric
from calozoo.options import Split
from calozoo.preprocessor import Preprocessor
from calozoo.showers import Showers
from calozoo.testing.toy import ToyGeometry, toy_batch, toy_showers, toy_space


class Contract:
    """What holds for every kind: found by name, every option typed and described."""

    kind: ClassVar[str]
    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    @property
    def config(self) -> dict[str, Any]:
        """The component's configuration."""
        return {"name": self.name, **self.options}

    def test_is_found_and_has_a_schema(self) -> None:
        """The registry finds it, and the schema has its keyword-only parameters and no others."""
        cls = registry.load(self.kind, self.name)
        parameters = inspect.signature(cls).parameters.values()
        wanted = {"name", *(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)}
        assert set(schema(cls, self.name).__dataclass_fields__) == wanted

    def test_describes_itself_and_its_options(self) -> None:
        """The class has a docstring that names each option."""
        cls = registry.load(self.kind, self.name)
        text = inspect.getdoc(cls) or ""
        assert text, f"{cls.__name__} has no docstring"
        missing = [
            option for option in schema(cls, self.name).__dataclass_fields__ if option != "name" and option not in text
        ]
        assert not missing, f"the docstring of {cls.__name__} says nothing of {missing}"


class GeometryContract(Contract):
    """A geometry's layers and columns fit together."""

    kind = "geometry"

    def make(self) -> Geometry:
        """A new instance."""
        return create("geometry", self.config)  # type: ignore[no-any-return]

    def test_layers_fill_the_cells(self) -> None:
        """Layers have different names, and their slices cover every cell once."""
        geometry = self.make()
        names = [layer.name for layer in geometry.layers]
        assert len(set(names)) == len(names) > 0
        covered = np.concatenate([np.arange(geometry.cells)[part] for part in geometry.slices])
        assert covered.tolist() == list(range(geometry.cells))

    def test_cells_have_an_extent(self) -> None:
        """Every cell has an area, and its centre lies within its extent."""
        for layer in self.make().layers:
            assert (layer.size > 0).all()
            assert (layer.outlines.min(axis=1) <= np.stack([layer.x, layer.y], axis=1)).all()
            assert (layer.outlines.max(axis=1) >= np.stack([layer.x, layer.y], axis=1)).all()

    def test_columns_are_distinct_and_bounded(self) -> None:
        """No column comes twice, and low lies below high."""
        columns = self.make().columns
        assert len({column.name for column in columns}) == len(columns)
        assert all(column.categories > 1 or column.low < column.high for column in columns)

    def test_shift_is_finite_for_every_shower(self) -> None:
        """One displacement for each shower, layer and axis."""
        geometry = self.make()
        shift = geometry.shift(toy_showers(7, geometry=geometry).columns)
        assert shift.shape == (7, len(geometry.layers), 2)
        assert np.isfinite(shift).all()


class DataContract(Contract):
    """A data source gives the same showers of its geometry every time."""

    kind = "data"
    geometry: ClassVar[str | None] = None  # the name of the geometry that the data are for; None: a toy

    def make(self) -> DataSource:
        """A new instance."""
        geometry = create("geometry", {"name": self.geometry}) if self.geometry else ToyGeometry()
        return create("data", self.config, geometry)  # type: ignore[no-any-return]

    @pytest.mark.parametrize("split", list(Split))
    def test_rows_come_in_the_order_asked_for(self, split: Split) -> None:
        """A slice and an index give the same rows, in order, also when opened again."""
        source = self.make()
        rows = source.open(split)
        assert len(rows) > 1
        last = min(len(rows), 50) - 1
        some = rows.rows(np.array([last, 0, last]))
        assert some.energies.shape == (3, source.geometry.cells)
        both = rows.rows(slice(0, last + 1))
        assert np.array_equal(some.energies, both.energies[[last, 0, last]])
        assert np.array_equal(self.make().open(split).rows(slice(0, last + 1)).energies, both.energies)
        assert (both.energies >= 0).all()
        assert (both.incident_energies > 0).all()

    def test_no_rows_are_rows(self) -> None:
        """An empty selection gives no showers."""
        assert len(self.make().open(Split.train).rows(slice(0, 0))) == 0

    def test_fingerprint_is_stable(self) -> None:
        """The same sample has the same fingerprint."""
        assert self.make().fingerprint == self.make().fingerprint


class PreprocessorContract(Contract):
    """A preprocessor's inverse undoes it."""

    kind = "preprocessor"
    tolerance: ClassVar[float] = 2e-4  # relative, of cells above a millionth of the incident energy

    @cached_property
    def showers(self) -> Showers:
        """Showers of a toy calorimeter."""
        return toy_showers(200)

    def make(self) -> Preprocessor:
        """A new instance, fitted."""
        preprocessor: Preprocessor = create("preprocessor", self.config, ToyGeometry())
        preprocessor.fit(*self.tensors)
        return preprocessor

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies and incident energies."""
        return torch.as_tensor(self.showers.energies), torch.as_tensor(self.showers.incident_energies)[:, None]

    def test_inverse_undoes_forward(self) -> None:
        """Empty cells stay empty exactly; the others come back to rounding."""
        preprocessor, (energies, incident) = self.make(), self.tensors
        values = preprocessor(energies, incident)
        back = preprocessor.inverse(values, incident)
        assert values.shape == (len(energies), preprocessor.features)
        assert values.dtype == back.dtype == torch.float32
        assert bool((back[energies == 0] == 0).all())
        seen = energies > 1e-6 * incident
        torch.testing.assert_close(back[seen], energies[seen], rtol=self.tolerance, atol=0)

    def test_values_lie_in_the_declared_range(self) -> None:
        """As output activations rely on it."""
        preprocessor = self.make()
        values = preprocessor(*self.tensors)
        low, high = preprocessor.range
        assert low is None or values.min() >= low
        assert high is None or values.max() <= high

    def test_inverse_is_never_negative_and_has_a_gradient(self) -> None:
        """Whatever a network puts out becomes energies, and the loss reaches the network."""
        preprocessor = self.make()
        values = torch.randn(50, preprocessor.features, generator=torch.Generator().manual_seed(0)).requires_grad_()
        incident = torch.full((50, 1), 5000.0)
        energies = preprocessor.inverse(values, incident)
        assert bool((energies >= 0).all())
        assert bool(torch.isfinite(torch.autograd.grad(energies.sum(), values)[0]).all())

    @pytest.mark.parametrize("n", [0, 1])
    def test_takes_no_shower_and_one(self, n: int) -> None:
        """Small batches keep their shape."""
        preprocessor, (energies, incident) = self.make(), self.tensors
        values = preprocessor(energies[:n], incident[:n])
        assert preprocessor.inverse(values, incident[:n]).shape == (n, energies.shape[1])

    def test_is_saved_with_what_it_learnt(self) -> None:
        """A new instance with the saved state does the same."""
        preprocessor = self.make()
        other = create("preprocessor", self.config, ToyGeometry())
        other.load_state_dict(load(save(preprocessor.state_dict())))
        assert torch.equal(other(*self.tensors), preprocessor(*self.tensors))


class ModelContract(Contract):
    """A model can be trained, sampled, saved and loaded, and touches nothing beside itself."""

    kind = "model"
    critics: ClassVar[tuple[str, ...] | None] = None  # None: those that the model comes with

    @cached_property
    def space(self) -> Space:
        """A toy calorimeter's."""
        return toy_space(toy_showers(256))

    @cached_property
    def batch(self) -> Batch:
        """Toy showers."""
        return toy_batch(self.space, toy_showers(256))

    def make(self) -> Generator:
        """A new instance, initialised from toy showers."""
        torch.manual_seed(1)
        model: Generator = create("model", self.config, self.space)
        model.initialise(self.batch)
        return model

    def judges(self) -> dict[str, Critic]:
        """The critics that it is trained with."""
        names = self.critics
        if names is None:
            names = registry.load("model", self.name).default_critics
        nodes: dict[str, Any] = {}
        set_up_hydra("run")
        with hydra.initialize(version_base="1.3", config_path=None):
            for name in names:
                nodes |= hydra.compose(f"critic/{name}").critic  # a critic's name, or a preset's
        judges: dict[str, Critic] = {name: create("critic", node, self.space) for name, node in nodes.items()}
        for judge in judges.values():
            judge.initialise(self.batch)
        return judges

    def latent(self, model: Generator, n: int) -> torch.Tensor:
        """Latent noise from a fixed seed."""
        return model.latent.draw(n, torch.Generator().manual_seed(2))

    def test_every_loss_reaches_every_parameter(self) -> None:
        """Terms are finite scalars, and each parameter of a player has a finite gradient."""
        for player in self.make().players(self.judges()):
            random = torch.Generator().manual_seed(3)
            noise = {name: kind.draw(len(self.batch), random) for name, kind in player.noise.items()}
            terms = player.loss(self.batch, noise)
            assert terms, f"player '{player.name}' has no loss"
            assert all(term.shape == () and bool(torch.isfinite(term)) for term in terms.values())
            gradients = torch.autograd.grad(torch.stack(list(terms.values())).sum(), player.parameters)
            assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)

    def test_losses_are_pure(self) -> None:
        """The same batch and noise give the same loss, and torch's global random state is left alone."""
        for player in self.make().players(self.judges()):
            random = torch.Generator().manual_seed(3)
            noise = {name: kind.draw(len(self.batch), random) for name, kind in player.noise.items()}
            state = torch.get_rng_state()
            first, second = player.loss(self.batch, noise), player.loss(self.batch, noise)
            assert {k: v.item() for k, v in first.items()} == {k: v.item() for k, v in second.items()}
            assert torch.equal(state, torch.get_rng_state())

    def test_players_have_different_names_and_parts(self) -> None:
        """No parameter belongs to two players."""
        players = self.make().players(self.judges())
        assert len({player.name for player in players}) == len(players)
        owned = [id(parameter) for player in players for parameter in player.parameters]
        assert len(set(owned)) == len(owned)
        assert all(player.updates > 0 for player in players)

    @pytest.mark.parametrize("n", [0, 1, 64])
    def test_samples_have_the_shape_of_the_space(self, n: int) -> None:
        """Float32, finite and within the declared range."""
        model = self.make().eval()
        with torch.inference_mode():
            values = model.sample(self.batch.condition[:n], self.latent(model, n))
        assert values.shape == (n, self.space.features)
        assert values.dtype == torch.float32
        assert bool(torch.isfinite(values).all())
        low, high = self.space.range
        assert low is None or bool((values >= low).all())
        assert high is None or bool((values <= high * 1.0001).all())

    def test_sample_is_a_function_of_condition_and_latent(self) -> None:
        """Nothing else is random, a row does not depend on its neighbours, and the latent matters."""
        model = self.make().eval()
        latent = self.latent(model, 64)
        with torch.inference_mode():
            values = model.sample(self.batch.condition[:64], latent)
            assert torch.equal(values, model.sample(self.batch.condition[:64], latent))
            torch.testing.assert_close(
                model.sample(self.batch.condition[5:6], latent[5:6]), values[5:6], rtol=1e-4, atol=1e-6
            )
            if model.latent.size:
                assert not torch.equal(values, model.sample(self.batch.condition[:64], latent.flip(0)))
            assert not torch.equal(values, model.sample(self.batch.condition[:64].flip(0), latent))

    def test_is_saved_and_loaded(self) -> None:
        """A new instance with the saved weights gives the same showers."""
        model = self.make().eval()
        other: Generator = create("model", self.config, self.space)
        other.load_state_dict(load(save(model.state_dict())))
        latent = self.latent(model, 8)
        with torch.inference_mode():
            assert torch.equal(
                other.eval().sample(self.batch.condition[:8], latent), model.sample(self.batch.condition[:8], latent)
            )


class CriticContract(Contract):
    """A critic scores showers, and its gradient is what autograd says."""

    kind = "critic"

    @cached_property
    def space(self) -> Space:
        """A toy calorimeter's."""
        return toy_space(toy_showers(256))

    @cached_property
    def batch(self) -> Batch:
        """Toy showers."""
        return toy_batch(self.space, toy_showers(256))

    def make(self) -> Critic:
        """A new instance, initialised from toy showers."""
        torch.manual_seed(1)
        critic: Critic = create("critic", self.config, self.space)
        critic.initialise(self.batch)
        return critic

    @pytest.mark.parametrize("n", [0, 1, 64])
    def test_gives_one_score_for_each_shower(self, n: int) -> None:
        """Finite, (n, 1)."""
        scores = self.make()(self.batch.values[:n], self.batch.condition[:n])
        assert scores.shape == (n, 1)
        assert bool(torch.isfinite(scores).all())

    def test_gradient_is_that_of_autograd(self) -> None:
        """The first and, through the weights, the second derivative."""
        critic = self.make().double()
        view = critic.view(self.batch.values.double(), self.batch.condition.double()).detach()
        condition = self.batch.condition.double()
        ours = critic.gradient(view, condition)
        reference = Critic.gradient(critic, view, condition)
        torch.testing.assert_close(ours, reference, rtol=1e-9, atol=1e-12)
        parameters = tuple(critic.parameters())
        for mine, theirs in zip(
            torch.autograd.grad(ours.square().sum(), parameters, allow_unused=True),
            torch.autograd.grad(reference.square().sum(), parameters, allow_unused=True),
            strict=True,
        ):
            zero = torch.zeros(())
            torch.testing.assert_close(
                zero if mine is None else mine.sum(),
                zero if theirs is None else theirs.sum(),
                rtol=1e-8,
                atol=1e-10,
                check_dtype=False,
            )

    def test_generator_feels_it(self) -> None:
        """The score has a gradient with respect to the shower."""
        values = self.batch.values.clone().requires_grad_()
        gradient = torch.autograd.grad(self.make()(values, self.batch.condition).sum(), values)[0]
        assert bool(gradient.abs().sum() > 0)

    def test_penalty_is_a_weighted_mean(self) -> None:
        """Finite, not negative, and zero weight is allowed."""
        critic = self.make()
        view = critic.view(self.batch.values, self.batch.condition)
        mix = torch.rand(len(view), 1, generator=torch.Generator().manual_seed(4))
        penalty = critic.gradient_penalty(view, view.flip(0), self.batch.condition, mix)
        assert penalty.shape == ()
        assert penalty.item() >= 0
        assert critic.penalty >= 0


class MetricContract(Contract):
    """A metric tells a sample that is right from one that is wrong."""

    kind = "metric"
    showers: ClassVar[int] = 1200
    geometry: ClassVar[str | None] = None  # the name of a geometry that the metric judges; None: a toy

    @cached_property
    def place(self) -> Geometry:
        """What the showers are in."""
        return create("geometry", {"name": self.geometry}) if self.geometry else ToyGeometry()

    def make(self) -> Metric:
        """A new instance."""
        return create("metric", self.config, self.place)  # type: ignore[no-any-return]

    def toys(self, n: int, seed: int) -> Showers:
        """Random showers."""
        return toy_showers(n, seed=seed, geometry=self.place)

    def distorted(self) -> Showers:
        """Showers that differ from toy showers in everything: energy, width, shape, empty cells."""
        right = self.toys(self.showers, 3)
        energies = np.roll(right.energies, 3, axis=1) * np.random.default_rng(0).normal(1.3, 0.3, (len(right), 1)).clip(
            0.1
        )
        return Showers(energies + 2e-3 * right.incident_energies[:, None], right.incident_energies, right.conditions)

    def test_wrong_showers_score_worse(self) -> None:
        """Farther from the best value than showers that differ by chance alone."""
        metric = self.make()
        reference = self.toys(self.showers, 1)
        right = metric.score(reference, self.toys(self.showers, 2)).values[0].value
        wrong = metric.score(reference, self.distorted()).values[0].value
        cost = metric.direction.cost
        assert cost(wrong) > cost(right), f"{self.name}: right {right}, wrong {wrong}"

    def test_values_have_different_keys(self) -> None:
        """And the first is finite."""
        values = self.make().score(self.toys(self.showers, 1), self.toys(self.showers, 2)).values
        assert len({value.key for value in values}) == len(values) > 0
        assert np.isfinite(values[0].value)

    def test_refuses_other_cells(self) -> None:
        """With a reason."""
        other = Showers(np.ones((50, 2), np.float32), np.full(50, 2048, np.float32))
        with pytest.raises(DataError):
            self.make().score(self.toys(50, 0), other)

    def test_figures_leave_the_showers_alone(self) -> None:
        """They are drawn for several samples at once."""
        reference, generated = self.toys(400, 1), self.toys(400, 2)
        before = copy.deepcopy(reference.energies)
        figures = self.make().figures(reference, {"one": generated, "two": generated})
        assert all(len(figure.axes) > 0 for figure in figures.values())
        assert np.array_equal(before, reference.energies)


CONTRACTS: Mapping[str, type[Contract]] = {
    contract.kind: contract
    for contract in (
        GeometryContract,
        DataContract,
        PreprocessorContract,
        ModelContract,
        CriticContract,
        MetricContract,
    )
}

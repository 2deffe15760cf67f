from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

import hydra
import pytest
from omegaconf import OmegaConf

from calozoo import registry
from calozoo.config import SEVERAL, create, options, plain, run_folder, schema, set_up_hydra
from calozoo.errors import ConfigError, PluginError


class Colour(Enum):
    red = 1
    blue = 2


@dataclasses.dataclass
class Inner:
    depth: int = 3
    colour: Colour = Colour.red


class Component:
    def __init__(
        self,
        space: object,
        *,
        needed: int,
        widths: tuple[int, ...] = (2, 3),
        limit: float | None = None,
        colour: Colour = Colour.blue,
        inner: Inner = Inner(),  # noqa: B008
        strange: frozenset[int] | None = None,
    ) -> None:
        pass


def read(**given: Any) -> Any:
    return options({"needed": 1, **given}, schema(Component, "component"), "model")


def test_the_schema_is_the_keyword_only_part_of_the_signature() -> None:
    fields = {field.name: field.type for field in dataclasses.fields(schema(Component, "component"))}
    assert list(fields) == ["name", "needed", "widths", "limit", "colour", "inner", "strange"]
    assert (fields["needed"], fields["colour"], fields["inner"]) == (int, Colour, Inner)
    assert fields["strange"] is Any


def test_options_are_converted_and_defaults_kept() -> None:
    made = read(widths=[5, 6], colour="red", inner={"colour": "blue"}, limit="2.5")
    assert list(made.widths) == [5, 6]
    assert (made.colour, made.limit) == (Colour.red, 2.5)
    assert made.inner == Inner(3, Colour.blue)
    assert read().limit is None
    assert list(read().widths) == [2, 3]


def test_defaults_are_not_shared() -> None:
    first, second = read(), read()
    first.inner.depth = 9
    assert second.inner.depth == 3


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"needed": "abc"}, r"^model\.needed: .*'abc'.*could not be converted to Integer"),
        ({"colour": "green"}, r"^model\.colour: Invalid value 'green', expected one of \[red, blue\]"),
        ({"inner": {"depth": "x"}}, r"^model\.inner\.depth: .*'x'"),
        ({"inner": {"colour": "x"}}, r"^model\.inner\.colour: Invalid value 'x'"),
        ({"widths": [1, "x"]}, r"^model\.widths\[1\]: .*'x'"),
        ({"betaa": 1}, r"^model\.betaa: Key 'betaa' not in 'Component'"),
        ({"inner": {"dept": 1}}, r"^model\.inner\.dept: Key 'dept'"),
        ({"limit": [1]}, r"^model\.limit"),
    ],
)
def test_a_bad_option_is_named_by_its_full_key(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        read(**given)
    assert "\n" not in str(caught.value)


def test_a_required_option_must_be_given() -> None:
    with pytest.raises(ConfigError, match=r"^model\.needed: .*[Mm]issing"):
        options({}, schema(Component, "component"), "model")


def test_something_else_than_options_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^model: "):
        options([1, 2], schema(Component, "component"), "model")


def test_options_without_a_name_are_refused() -> None:
    class Open:
        def __init__(self, **anything: int) -> None:
            pass

    with pytest.raises(PluginError, match=r"Open of 'open' takes \*anything"):
        schema(Open, "open")


def test_create_names_the_key_of_one_among_several() -> None:
    with pytest.raises(ConfigError, match=r"^critic\.shower\.sides: Invalid value 'three'"):
        create("critic", {"name": "shower", "sides": "three"}, None)
    with pytest.raises(ConfigError, match=r"^geometry\.phi_origin: "):
        create("geometry", {"name": "atlas_barrel", "phi_origin": "nowhere"})


def test_plain_is_ready_for_json() -> None:
    config = OmegaConf.create({"a": {"b": "${c}"}, "c": [1, None]})
    assert plain(config) == {"a": {"b": [1, None]}, "c": [1, None]}
    assert plain({"inner": Inner(), "pair": (Colour.red, 2)}) == {
        "inner": {"depth": 3, "colour": "red"},
        "pair": ["red", 2],
    }


def compose(*overrides: str) -> Any:
    set_up_hydra("run")
    with hydra.initialize(version_base="1.3", config_path=None):
        return hydra.compose("config", list(overrides))


def test_a_run_folder_is_named_by_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_folder(compose("model=vae"))
    assert first.startswith("vae-atlas_barrel-seed0-")
    assert run_folder(compose("model=vae")) == first
    assert run_folder(compose("model=vae", "device=cpu", "device.threads=3")) == first
    others = [
        run_folder(compose("model=vae", *change))
        for change in (["model.latent_size=11"], ["trainer.max_steps=7"], ["metric=[ks]"], ["data.split.seed=1"])
    ]
    assert len({first, *others}) == 5
    assert run_folder(compose("model=vae", "seed=1")).startswith("vae-atlas_barrel-seed1-")
    monkeypatch.setattr("calozoo.config.version", lambda package: "99" if package == "calozoo-gflash" else "1")
    unused = run_folder(compose("model=vae"))
    monkeypatch.setattr("calozoo.config.version", lambda package: "99" if package == "calozoo-vae" else "1")
    assert run_folder(compose("model=vae")) != unused
    monkeypatch.setattr("calozoo.config.version", lambda package: "1")
    assert run_folder(compose("model=vae")) == unused


CHOICES = [(group, choice) for group in sorted(registry.groups()) for choice in registry.choices(group)]


@pytest.mark.parametrize(("group", "choice"), CHOICES, ids=[f"{group}={choice}" for group, choice in CHOICES])
def test_every_option_of_every_group_composes(group: str, choice: str) -> None:
    wanted = f"{group}=[{choice}]" if group in SEVERAL else f"{group}={choice}"
    config = compose(*([] if group in ("model", "experiment") else ["model=vae"]), wanted)
    if group in registry.KINDS and choice in registry.plugins(group):
        node = config[group][choice] if group in SEVERAL else config[group]
        assert node.name == choice
        checked = options(node, schema(registry.load(group, choice), choice), group)
        assert plain(checked) == plain(node)
    assert config.model.name in registry.plugins("model")
    assert config.geometry.name in registry.plugins("geometry")


def test_a_model_brings_what_suits_it_and_the_user_has_the_last_word() -> None:
    config = compose("model=wgan_gp")
    assert list(config.critic) == ["shower"]
    assert len(config.conditions.columns.incident_energy) == 2
    assert list(compose("model=wgan_gp", "critic=[energy]").critic) == ["energy"]
    assert len(compose("model=wgan_gp", "conditions=energy").conditions.columns.incident_energy) == 1


@pytest.mark.parametrize(
    ("note", "quick"), [("note_vae", "quick_vae"), ("note_gan", "quick_gan"), ("poster_gan", "quick_poster")]
)
def test_quick_experiments_differ_in_optimisation_alone(note: str, quick: str) -> None:
    one, other = (plain(compose(f"experiment={name}")) for name in (note, quick))
    assert one.pop("trainer") != other.pop("trainer")
    # How inputs are scaled, how layers start, and how the weight of a divergence is moved to the note's.
    for config in (one, other):
        for name in ("scale", "condition_scale", "bias_from_data", "kl_start", "kl_hold"):
            config["model"].pop(name, None)
        config["critic"].get("shower", {}).pop("scale", None)
    assert one == other


@pytest.mark.parametrize("experiment", ["note_gan", "quick_gan", "poster_gan", "quick_poster", "quick_copula"])
def test_critics_of_an_experiment_can_be_replaced(experiment: str) -> None:
    config = compose(f"experiment={experiment}", "critic=[energy]")
    assert {name: node.name for name, node in config.critic.items()} == {"energy": "energy"}


def test_a_commands_root_sees_its_own_groups_alone() -> None:
    set_up_hydra("evaluate")
    with hydra.initialize(version_base="1.3", config_path=None):
        config = hydra.compose("evaluate", ["geometry=atlas_barrel", "metric=[ks]"])
        assert list(config.metric) == ["ks"]
        with pytest.raises(hydra.errors.HydraException, match="model"):
            hydra.compose("evaluate", ["model=vae"])

from __future__ import annotations

from collections.abc import Callable

import pytest

from calozoo import registry
from calozoo.errors import PluginError

Install = Callable[..., None]
METRIC = """
from calozoo import Metric, Score, Value

class Mine(Metric):
    '''A metric.'''
    def score(self, reference, generated):
        return Score((Value("mine", 0.0),))

class Other:
    pass

def function():
    pass
"""


def test_a_package_with_an_entry_point_is_found_and_loaded(install: Install) -> None:
    install("calozoo-mine", {"metric mine": "calozoo_mine:Mine"}, calozoo_mine=METRIC)
    plugin = registry.find("metric", "mine")
    assert (plugin.package, plugin.version, plugin.target) == ("calozoo-mine", "1.5", "calozoo_mine:Mine")
    assert registry.load("metric", "mine").__name__ == "Mine"
    assert "mine" in registry.choices("metric")


def test_a_name_taken_twice_fails_only_when_it_is_chosen(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("calozoo-one", {"metric mine": "one:Mine", "metric alone": "one:Mine"}, one=METRIC)
    install("calozoo-two", {"metric mine": "two:Mine"}, two=METRIC)
    assert registry.load("metric", "alone").__module__ == "one"
    with pytest.raises(PluginError, match=r"(calozoo-one and calozoo-two|calozoo-two and calozoo-one)\. Uninstall"):
        registry.load("metric", "mine")
    monkeypatch.setenv("CALOZOO_DISABLE_PLUGINS", "calozoo-one")
    registry.plugins.cache_clear()
    assert registry.load("metric", "mine").__module__ == "two"


def test_disabling_takes_names_and_packages(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("calozoo-one", {"metric mine": "one:Mine", "metric yours": "one:Mine"}, one=METRIC)
    monkeypatch.setenv("CALOZOO_DISABLE_PLUGINS", "mine, calozoo-absent")
    registry.plugins.cache_clear()
    assert "yours" in registry.plugins("metric")
    assert "mine" not in registry.plugins("metric")
    assert registry.disabled() == {"mine", "calozoo-absent"}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import calozoo_absent.part", "ModuleNotFoundError.*To go on: pip install calozoo_absent, or choose another"),
        ("1 / 0", "ZeroDivisionError.*To go on: mend or uninstall calozoo-broken"),
        ("import math", "AttributeError.*mend or uninstall"),
        ("def (", "SyntaxError.*mend or uninstall"),
    ],
)
def test_a_broken_plugin_names_package_and_remedy_and_hurts_no_other(
    install: Install, source: str, reason: str
) -> None:
    install("calozoo-broken", {"metric mine": "broken:Mine"}, broken=source)
    with pytest.raises(PluginError, match=rf"'mine' of package calozoo-broken 1\.5 cannot be imported: {reason}"):
        registry.load("metric", "mine")
    assert registry.load("metric", "ks").__name__ == "KS"


@pytest.mark.parametrize("target", ["one:Other", "one:function"])
def test_what_is_no_such_component_is_refused(install: Install, target: str) -> None:
    install("calozoo-one", {"metric mine": target}, one=METRIC)
    with pytest.raises(PluginError, match=f"calozoo-one is {target}, which is not a class derived from calozoo.Metric"):
        registry.load("metric", "mine")


def test_unknown_names_list_what_exists() -> None:
    with pytest.raises(
        PluginError, match=r"no model 'wgan-gp'. Did you mean 'wgan_gp'\? Known: .*vae.*calozoo plugins"
    ):
        registry.find("model", "wgan-gp")
    with pytest.raises(PluginError, match=r"no kind of plugin 'modell'. Did you mean 'model'"):
        registry.find("modell", "vae")


def test_nothing_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: ())
    registry.plugins.cache_clear()
    try:
        with pytest.raises(PluginError, match=r"Known: none. Install some, for example with: pip install"):
            registry.find("model", "vae")
    finally:
        registry.plugins.cache_clear()

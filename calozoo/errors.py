"""What can go wrong, as exceptions whose text is ready to be shown to a user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CalozooError(Exception):
    """A failure with one clear message: what was asked, what exists, what to type."""


class ConfigError(CalozooError):
    """An option, a name or a combination of them that cannot be used."""


class DataError(CalozooError):
    """A shower file or data source that does not hold what it must.

    The text is the first of ``problems``, which may list more.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(problems[0])
        self.problems = problems


class PluginError(CalozooError):
    """A plugin that is missing, broken or ambiguous."""


class RunError(CalozooError):
    """A run folder that cannot be written, read or continued, or a training that went bad."""


class Stopped(RunError):  # noqa: N818  (it is no error of the user's)
    """A run that was asked to stop and left its state to go on from."""


def unknown(what: str, name: object, names: Iterable[str]) -> str:
    """Say that ``name`` is not a known ``what``, list those that exist, and propose the closest.

    >>> unknown("unit", "Mev", ["MeV", "GeV"])
    "There is no unit 'Mev'. Did you mean 'MeV'? Known: GeV, MeV."
    """
    known = sorted(names)
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"There is no {what} '{name}'.{hint} Known: {', '.join(known) or 'none'}."

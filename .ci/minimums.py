"""Prints pip constraints that pin every dependency of this repository to the lowest version that it promises."""

import pathlib
import re
import tomllib

lowest: dict[str, str] = {}
for path in sorted(pathlib.Path(__file__).parents[1].glob("**/pyproject.toml")):
    project = tomllib.loads(path.read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    for requirement in [*project.get("dependencies", []), *(item for extra in extras for item in extra)]:
        name, bound = re.match(r"([\w-]+)(?:\[.*?\])?(?:>=([\w.]+))?", requirement).groups()
        if not name.startswith("calozoo"):
            lowest[name] = max(lowest.get(name, "0"), bound, key=lambda v: [int(p) for p in v.split(".")])
print("\n".join(f"{name}=={version}" for name, version in sorted(lowest.items())))  # noqa: T201

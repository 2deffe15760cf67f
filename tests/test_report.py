from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from calozoo import DataError, Metric, Score, Showers, Value
from calozoo.evaluation import evaluate
from calozoo.hooks import Observers
from calozoo.report.page import Sample, write_report
from calozoo.run import Run
from calozoo.testing import ToyGeometry, toy_showers
from conftest import read

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page(HTMLParser):
    """Every attribute, every identifier and the text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str | None, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if n == name and tag in (None, t)]


def test_the_page_needs_nothing_from_outside(whole_run: Path) -> None:
    page = Page(whole_run / "report.html")
    for name in ("src", "href", "srcset", "action", "data"):
        for value in page.all(None, name):
            assert value.startswith(("data:image/png;base64,", "#")), value
    source = re.sub(r"base64,[A-Za-z0-9+/=]+", "", (whole_run / "report.html").read_text())
    assert not re.findall(r"url\(|@import|https?://|<link", source)


def test_every_metric_and_figure_is_on_the_page(whole_run: Path) -> None:
    page = Page(whole_run / "report.html")
    scores = read(whole_run / "scores.json")["metrics"]
    assert list(scores) == ["ks", "response"]
    for name, entry in scores.items():
        assert f"#detail-{name}" in page.all("a", "href")
        assert f"detail-{name}" in page.all(None, "id")
        for value in entry["values"]:
            assert value["key"] in page.text
    shown = {base64.b64decode(src.partition(",")[2]) for src in page.all("img", "src")}
    drawn = {path.name: path.read_bytes() for path in (whole_run / "figures").glob("*.png")}
    assert shown == set(drawn.values())
    assert {name.split("-")[0] for name in drawn} == {"ks", "response", "losses"}
    assert {path.stem for path in (whole_run / "figures").glob("*.pdf")} == {Path(name).stem for name in drawn}
    assert all(page.all("img", "alt")[: len(drawn)])


def test_links_within_the_page_lead_somewhere(whole_run: Path) -> None:
    page = Page(whole_run / "report.html")
    identifiers = page.all(None, "id")
    assert len(set(identifiers)) == len(identifiers)
    assert {link.removeprefix("#") for link in page.all("a", "href")} <= set(identifiers)


def test_the_page_says_how_the_run_was_made(whole_run: Path) -> None:
    text = Page(whole_run / "report.html").text
    run = Run(whole_run)
    assert run.config.trainer.remark in text
    assert "calozoo model=vae data=hdf5" in text
    assert all(f"{package} {version}" in text for package, version in run.manifest["versions"].items())
    assert "max_steps: 3" in text


class Awkward(Metric):
    """Has a figure whose title is markup."""

    def score(self, reference: Showers, generated: Showers) -> Score:
        return Score((Value("first <b>", 1.0, error=0.5),))

    def figures(self, reference: Showers, generated: Any) -> dict[str, Figure]:
        figure = Figure(figsize=(2, 1))
        figure.add_subplot()
        return {"<script>alert(1)</script>": figure}


class Refuses(Metric):
    """Refuses all."""

    def score(self, reference: Showers, generated: Showers) -> Score:
        raise DataError("Too few <showers>.")

    def figures(self, reference: Showers, generated: Any) -> dict[str, Figure]:
        raise DataError("Too few <showers>.")


def two_samples(folder: Path) -> Path:
    metrics = {"awkward": Awkward(ToyGeometry()), "refuses": Refuses(ToyGeometry())}
    reference = toy_showers(40)
    samples = {}
    for label in ("one", "a very long label that has to find its place on a small screen all the same"):
        showers = toy_showers(40, seed=len(label))
        scores = evaluate(metrics, reference, showers, threshold=0.0, hooks=Observers([]))
        samples[label] = Sample(showers, json.loads(json.dumps(scores)), None)
    with pytest.warns(UserWarning, match="'refuses' has no figures: Too few"):
        write_report(folder, metrics, reference, samples)
    return folder / "report.html"


def test_markup_in_names_stays_text(tmp_path: Path) -> None:
    path = two_samples(tmp_path)
    page = Page(path)
    assert "<script>alert" not in path.read_text()
    assert "<script>alert(1)</script>" in page.all("img", "alt")
    assert "first <b>" in page.text
    assert "Too few <showers>." in page.text
    assert "1 ± 0.5" in page.text


PROBE = """<script>
const errors = [];
for (const kind of ["error", "unhandledrejection", "securitypolicyviolation"])
  addEventListener(kind, e => errors.push(kind + " " + (e.message || e.reason || e.target.outerHTML)), true);
for (const kind of ["error", "warn"]) console[kind] = (...words) => errors.push(kind + " " + words.join(" "));
addEventListener("load", () => {
  const closed = document.documentElement.scrollWidth;
  for (const details of document.querySelectorAll("details")) details.open = true;
  document.querySelector("figure button").click();
  const dialog = document.querySelector("dialog"), enlarged = dialog.open && dialog.querySelector("img").src.length;
  dialog.close();
  window.answer = { errors, closed, enlarged, open: document.documentElement.scrollWidth, inner: innerWidth,
    images: [...document.querySelectorAll("figure img")].map(i => i.naturalWidth) };
});
</script>"""
# Browsers refuse windows as narrow as a phone; a frame can be.
FRAME = """<iframe src="probed.html" width="360" height="800" style="border: 0"></iframe>
<script>onload = () => { document.body.textContent = JSON.stringify(frames[0].answer); }</script>"""


@pytest.mark.skipif(BROWSER is None, reason="neither chromium, chromium-browser nor google-chrome is installed")
@pytest.mark.parametrize("which", ["run", "two samples"])
def test_the_page_works_on_a_phone(whole_run: Path, tmp_path: Path, which: str) -> None:
    path = whole_run / "report.html" if which == "run" else two_samples(tmp_path)
    probed = tmp_path / "probed.html"
    probed.write_text(path.read_text(encoding="utf-8").replace("<head>", f"<head>{PROBE}", 1), encoding="utf-8")
    (tmp_path / "phone.html").write_text(FRAME)
    options = "headless no-sandbox disable-gpu disable-background-networking no-first-run dump-dom"
    arguments = [f"--{option}" for option in (*options.split(), "allow-file-access-from-files")]
    arguments += [f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "phone.html").as_uri()]
    done = subprocess.run([str(BROWSER), *arguments], capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r"<body>(\{.*?\})</body>", done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    answer = json.loads(html.unescape(found[1]))
    assert answer["errors"] == []
    assert answer["inner"] == 360
    assert answer["closed"] <= 360
    assert answer["open"] <= 360
    assert len(answer["images"]) == (len(list((whole_run / "figures").glob("*.png"))) if which == "run" else 1)
    assert min(answer["images"]) > 0
    assert answer["enlarged"] > 1000

"""The report is one valid page that needs nothing else."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
import shutil
import subprocess
import sys

import optuna
import pytest

from optuna_dnas.explanation import explain
from optuna_dnas.explanation import to_html
from tests.visualization.studies import cell_study
from tests.visualization.studies import flat_study


VOID = {"meta", "br"}
EVIL = "<script>alert(1)</script>&\"'"


class Page(HTMLParser):
    """Elements that are closed where they should be, and what they refer to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [str(value) for name, value in attrs if name == "id"]
        self.references += [str(v) for name, v in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)


@cache
def cells() -> str:
    return to_html(explain(cell_study(30)))


def test_page_is_well_formed() -> None:
    page = Page(cells())
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {"html", "title", "svg", "table"} <= set(page.tags)


def test_page_needs_no_network() -> None:
    assert Page(cells()).references == []
    assert "@import" not in cells().split("</style>")[0]


def test_page_is_small() -> None:
    assert len(cells().encode()) < 7_000_000


def test_plotly_is_there_once_and_figures_have_places() -> None:
    page = Page(cells())
    places = [f"figure-{name}" for name in ("sources", "factors", "budget", "space", "map")]
    assert set(places) <= set(page.ids)
    assert cells().count('class="figure-data"') == len(page.ids)
    assert page.tags.count("script") == len(page.ids) + 2


def test_names_of_users_are_only_text() -> None:
    study = optuna.create_study(study_name=EVIL)
    for trial in flat_study(12).trials:
        trial.set_user_attr("architecture", EVIL)
        study.add_trial(trial)
    study.set_metric_names([EVIL])
    text = to_html(explain(study, storage=EVIL))
    assert "<script>alert" not in text
    page = Page(text)
    assert page.open == []
    assert any(EVIL in words for words in page.texts)


@pytest.mark.parametrize(
    "study",
    [
        cell_study(1),
        cell_study(20, metrics=("validation_accuracy", "flops")),
        cell_study(20, limits={"flops": 200_000}),
        flat_study(1),
        flat_study(20),
    ],
    ids=["one cell", "front", "limit", "one set of parameters", "parameters"],
)
def test_any_study_makes_a_page(study: optuna.Study) -> None:
    assert Page(to_html(explain(study))).open == []


def test_without_plotly_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    monkeypatch.setitem(sys.modules, "plotly.subplots", None)
    with pytest.raises(ImportError, match=r"optuna-dnas\[visualization\]"):
        explain(flat_study(3))


def test_figures_are_drawn_in_a_browser(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if browser is None:
        pytest.skip("needs chromium or google-chrome")
    (tmp_path / "report.html").write_text(cells(), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=10000"]
    dom = subprocess.run(
        [*command, (tmp_path / "report.html").as_uri()],
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    ).stdout
    assert dom.count('class="js-plotly-plot"') == cells().count('class="figure-data"')
    assert dom.count('class="main-svg"') >= cells().count('class="figure-data"')

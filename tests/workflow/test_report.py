"""The report page in a real browser, from a file, without a network."""

import json
import os
import shlex
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from nessflow.store.store import read_dataset, write_dataset
from nessflow.verbs.report import write_report
from nessflow.verbs.workflow import read_project

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
TITLE = "<script>alert('title')</script> & more"
MESSAGE = "<b>too hot</b></script><script>alert(1)</script>"
LABEL = "</script><script>alert('label')</script>"


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        reason = f"no browser: install one of {', '.join(BROWSERS)}"
        # Where every change is judged a test that does not run would hide a gap.
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=found, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def results(finished, tmp_path_factory) -> Path:
    """Results whose texts are hostile, with one failed point, and their report."""
    folder = tmp_path_factory.mktemp("report") / "results"
    shutil.copytree(finished.folder / "results", folder)
    data = read_dataset(folder / "chain" / "data.nc")
    data["status"].values[0, 0, 3] = 1
    data["message"].values[0, 0, 3] = MESSAGE
    data["n_samples"].attrs["long_name"] = LABEL
    data["net_particle_current_mean"].attrs["long_name"] = LABEL
    write_dataset(data, folder / "chain" / "data.nc")
    project = read_project(finished.folder)
    studies = dict(project.studies)
    studies["chain"] = replace(studies["chain"], title=TITLE)
    project = replace(project, studies=studies, results=folder)
    assert write_report(project, progress=print) == []
    return folder


@pytest.fixture
def opened(browser, results):
    """The page, with what it asked for and complained of; both checked at the end."""
    tab = browser.new_page()
    asked, complaints = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", lambda dialog: complaints.append(dialog.message))
    tab.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
    tab.goto((results / "report" / "index.html").as_uri())
    yield tab
    tab.close()
    assert complaints == []
    local = (results.as_uri(), "data:", "blob:")
    assert [url for url in asked if not url.startswith(local)] == []


def explore(tab, study):
    """Open the interactive plot of a study, which the page draws in its own time."""
    details = tab.locator(f"#{study} .explore")
    details.locator("summary").click()
    details.locator(".bk-Figure").wait_for()
    return details


def plotted(tab) -> np.ndarray:
    """Return what the last plot shows."""
    numbers = tab.evaluate(
        "Array.from(Bokeh.documents.at(-1).roots()[0].renderers[0].data_source.data.y, String)"
    )
    return np.array([float(number) for number in numbers])


def assert_plotted(tab, expected, atol=0.0):
    """Compare what the last plot shows, once the page has had time to draw it."""
    expected = np.ravel(expected)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        shown = plotted(tab)
        if shown.shape == expected.shape and np.allclose(shown, expected, 2e-4, atol):
            return
        tab.wait_for_timeout(50)
    np.testing.assert_allclose(plotted(tab), expected, rtol=2e-4, atol=atol)


def test_texts_are_shown_as_they_are(opened):
    assert opened.locator("#chain h2").inner_text() == TITLE
    failed = opened.locator("#chain .failed")
    failed.locator("summary").click()
    assert MESSAGE in failed.inner_text()
    assert "0.1" in failed.inner_text()
    assert "1 failed" in opened.locator("#chain .source").inner_text()


def test_the_plot_follows_variable_axis_and_sliders(opened, results):
    data = read_dataset(results / "chain" / "data.nc")
    details = explore(opened, "chain")
    variable, x = (details.locator("select").nth(place) for place in range(2))
    assert variable.input_value() == "net_particle_current_mean"
    variable.select_option("particle_current_mean")
    x.select_option("V")
    labels = details.locator("input[type=range]")
    assert labels.count() == 2
    current = data["particle_current_mean"]
    assert_plotted(opened, current[0, :, 0])
    labels.nth(0).press("ArrowRight")
    assert_plotted(opened, current[1, :, 0])
    labels.nth(1).press("End")
    assert_plotted(opened, current[1, :, -1])
    assert "mu = 0.3 t" in details.inner_text()
    assert "nessflow point chain --set V=0.5 --set mu=0.3" in details.inner_text()
    x.select_option("terminal")
    assert_plotted(opened, current[1, 0, :])
    details.locator("input[type=checkbox]").nth(1).check()
    expect(details.locator(".bk-Figure")).to_have_count(1)


def test_the_command_under_the_plot_computes_its_point(opened, finished):
    details = explore(opened, "spectrum")
    command = shlex.split(details.locator("pre").inner_text())
    details.locator("select").nth(1).select_option("energy")
    found = finished.nessflow(*command[1:], "--json")
    assert found.returncode == 0, found.stderr
    variable = details.locator("select").nth(0).input_value()
    values = json.loads(found.stdout)["observables"][variable]
    assert_plotted(opened, values["value"], atol=1e-12)


def test_figures_enlarge_by_keyboard(opened):
    def focused():
        return opened.evaluate("document.activeElement.className || document.activeElement.id")

    for _ in range(20):
        opened.keyboard.press("Tab")
        if focused() == "enlarge":
            break
    assert focused() == "enlarge"
    opened.keyboard.press("Enter")
    picture = opened.locator("#enlarged img")
    assert picture.is_visible()
    assert picture.get_attribute("src").endswith("chain/figures/current.svg")
    assert picture.get_attribute("alt") == "Small disordered chain."
    opened.keyboard.press("Escape")
    assert not picture.is_visible()
    assert focused() == "enlarge"


def test_studies_are_filtered(opened):
    def shown():
        return [a.get_attribute("id") for a in opened.locator("article:visible").all()]

    assert shown() == ["chain", "spectrum"]
    opened.fill("#by-name", "SMALL")
    assert shown() == ["spectrum"]
    opened.fill("#by-name", "")
    opened.select_option("#by-parameter", "system.loss.rate")
    assert shown() == ["chain", "spectrum"]
    opened.select_option("#by-value", "0.5")
    assert shown() == ["spectrum"]
    assert opened.locator("#count").inner_text() == "1 of 2 studies"
    opened.select_option("#by-parameter", "mu")
    assert shown() == ["chain"]


def test_links_lead_from_figure_to_data_to_points(opened, results):
    links = opened.locator("article a:not([href^='#'])").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    assert "../chain/data.nc" in links
    assert "../chain/blocks/" in links
    for link in links:
        assert (results / "report" / link).exists(), link


def test_a_figure_of_other_data_is_marked(opened):
    assert "drawn from other data" in opened.locator("#chain figcaption").inner_text()
    assert "drawn from other data" not in opened.locator("#spectrum figcaption").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_needs_no_scrolling_sideways(opened, scheme):
    opened.emulate_media(color_scheme=scheme)
    opened.set_viewport_size({"width": 360, "height": 700})
    explore(opened, "chain")
    for details in opened.locator("details").all():
        details.evaluate("element => element.open = true")
    width, window = opened.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= window


def test_the_page_alone_has_its_pictures(browser, results, tmp_path):
    alone = shutil.copy(results / "report" / "index.html", tmp_path / "alone.html")
    tab = browser.new_page()
    tab.goto(Path(alone).as_uri())
    tab.locator(".enlarge").first.click()
    tab.wait_for_function("document.querySelector('#enlarged img').src.startsWith('data:')")
    assert tab.locator("#enlarged img").evaluate("image => image.decode().then(() => true)")
    tab.close()


def test_both_reports_from_the_workflow(ready):
    done = ready.snakemake("report")
    assert done.returncode == 0, done.stderr
    page = ready.folder / "results/report/index.html"
    first = page.read_bytes()
    assert str(ready.folder).encode() not in first
    assert ready.jobs("report") == {}
    page.unlink()
    assert ready.nessflow("report").returncode == 0
    # Not the bytes side by side: a difference would be printed, a megabyte of it.
    assert hash(page.read_bytes()) == hash(first)
    whole = ready.folder / "results/report/snakemake.zip"
    done = ready.snakemake("report", "--report", str(whole))
    assert done.returncode == 0, done.stderr
    assert whole.stat().st_size > 10_000


def test_a_study_without_data_is_named(ready):
    shutil.rmtree(ready.folder / "results/spectrum")
    done = ready.nessflow("report")
    assert done.returncode == 0, done.stderr
    text = (ready.folder / "results/report/index.html").read_text()
    assert "No data: data.nc: no such file" in text
    assert "No figure loss: " in text


def test_a_figure_that_is_drawn_otherwise_now_is_marked(ready):
    assert ready.nessflow("report").returncode == 0
    page = ready.folder / "results/report/index.html"
    assert "drawn from other data or otherwise" not in page.read_text()
    ready.edit("config/studies/spectrum.yaml", "z: loss", "caption: new, z: loss")
    assert ready.nessflow("report").returncode == 0
    assert page.read_text().count("drawn from other data or otherwise") == 1


def test_what_is_damaged_or_of_another_study_is_named_and_not_shown(ready):
    results = ready.folder / "results"
    shutil.copy(results / "chain/data.nc", results / "spectrum/data.nc")
    picture = results / "chain/figures/current.png"
    image = bytearray(picture.read_bytes())
    image[-20] ^= 1
    picture.write_bytes(image)
    done = ready.nessflow("report")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"{results.name}/spectrum/data.nc: holds the data of the study 'chain'" in done.stderr
    assert "chain/figures/current.png: changed since manifest.json was written" in done.stderr
    text = (results / "report/index.html").read_text()
    assert "No data: data.nc: holds the data of the study" in text
    assert "No figure current: current.png: changed" in text
    # Of the two figures only the one that is sound.
    assert text.count('src="data:image/webp') == 1

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
    tab.evaluate(f"location.hash = '{study}'")
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
    assert opened.locator("#chain h3").inner_text() == TITLE
    opened.locator("#chain h3 a").click()
    assert opened.title().startswith(TITLE)
    failed = opened.locator("#chain details.failed")
    failed.locator("summary").click()
    assert MESSAGE in failed.inner_text()
    assert "0.1" in failed.inner_text()


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

    opened.evaluate("location.hash = 'chain'")
    for _ in range(20):
        opened.keyboard.press("Tab")
        if focused() == "enlarge":
            break
    assert focused() == "enlarge"
    opened.keyboard.press("Enter")
    picture = opened.locator("#Enlarged img")
    assert picture.is_visible()
    assert picture.get_attribute("src").endswith("chain/figures/current.svg")
    assert picture.get_attribute("alt") == "Small disordered chain."
    opened.keyboard.press("Escape")
    assert not picture.is_visible()
    assert focused() == "enlarge"


def shown(tab):
    """Return which studies are there to see."""
    return [study.get_attribute("id") for study in tab.locator("article:visible").all()]


def test_studies_are_filtered(opened):
    assert shown(opened) == ["chain", "spectrum"]
    opened.fill("#Words", "SMALL")
    assert shown(opened) == ["spectrum"]
    opened.fill("#Words", "")
    opened.select_option("#Parameter", "system.loss.rate")
    assert shown(opened) == ["chain", "spectrum"]
    opened.select_option("#Value", "0.5")
    assert shown(opened) == ["spectrum"]
    assert opened.locator("#Count").inner_text() == "1 of 2 studies"
    opened.select_option("#Parameter", "mu")
    assert shown(opened) == ["chain"]


def test_search_follows_what_is_typed(opened):
    words = opened.locator("#Words")
    words.press_sequentially("transmission spec")
    assert shown(opened) == ["spectrum"]
    assert opened.locator("#Contents li li:visible a").all_inner_texts() == ["Small spectrum"]
    words.press("Enter")
    expect(opened.locator("#spectrum .record")).to_be_visible()
    for key in ("/", "End", "t", "r"):
        opened.keyboard.press(key)
    expect(words).to_have_value("transmission spectr")
    assert shown(opened) == ["spectrum"]
    opened.keyboard.press("x")
    assert shown(opened) == []
    assert "No study is like that" in opened.locator("main").inner_text()
    opened.locator("#Nothing button").click()
    assert shown(opened) == ["chain", "spectrum"]
    opened.check("#Marked")
    assert shown(opened) == ["chain"]


def test_a_study_opens_alone_and_the_browser_leads_back(opened):
    record, figures = (opened.locator(f"#spectrum {part}") for part in (".record", "figure"))
    figures.evaluate("figure => figure.after(figure.cloneNode(true))")
    expect(record).not_to_be_visible()
    assert [figure.is_visible() for figure in figures.all()] == [True, False]
    opened.locator("#spectrum h3 a").click()
    assert shown(opened) == ["spectrum"]
    expect(record).to_be_visible()
    assert opened.locator("#Contents [aria-current]").inner_text() == "Small spectrum"
    assert figures.evaluate_all("all => all.every((figure) => figure.clientWidth > 500)")
    opened.go_back()
    assert shown(opened) == ["chain", "spectrum"]
    opened.go_forward()
    assert shown(opened) == ["spectrum"]
    opened.reload()
    assert shown(opened) == ["spectrum"]
    assert opened.title().startswith("Small spectrum")
    assert not figures.first.evaluate("figure => figure.parentElement.inert")


def test_all_is_reached_by_keyboard(opened):
    def focused():
        return opened.evaluate("document.activeElement.hash || document.activeElement.id")

    opened.keyboard.press("/")
    assert focused() == "Words"
    opened.locator("#Studies").evaluate("element => element.querySelector('h3 a').focus()")
    opened.keyboard.press("Tab")
    assert focused() == "#spectrum"  # a card is one stop
    opened.keyboard.press("Enter")
    assert shown(opened) == ["spectrum"]
    opened.keyboard.press("ArrowRight")
    assert shown(opened) == ["spectrum"]
    opened.keyboard.press("ArrowLeft")
    assert shown(opened) == ["chain"]
    opened.keyboard.press("Escape")
    assert shown(opened) == ["chain", "spectrum"]
    assert focused() == "#chain"


def test_what_is_not_ok_is_named_first_with_its_reason(opened):
    concerns = opened.locator(".concerns")
    assert concerns.locator("a").all_inner_texts() == [TITLE]
    assert "1 point failed" in concerns.inner_text()
    assert "1 figure out of date" in concerns.inner_text()
    assert MESSAGE in concerns.inner_text()
    assert "1 point failed" in opened.locator("#chain .marks").inner_text()
    assert opened.locator("#spectrum .mark").count() == 0
    opened.fill("#Words", "spectrum")
    expect(concerns).not_to_be_visible()
    opened.fill("#Words", "")
    expect(concerns).to_be_visible()
    marks = opened.locator("#Contents .mark").evaluate_all(
        "all => all.map(mark => mark.getAttribute('aria-label'))"
    )
    assert marks == ["1 point failed, 1 figure out of date"]
    opened.evaluate("location.hash = 'chain'")
    assert "1 not_converged" in opened.locator("#chain .failures").inner_text()


CONTRAST = """() => {
  const bytes = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = bytes(color).map((x) => x / 255)
      .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((bytes(color)[3] ?? 1) === 1) return color;
    }
  };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (words.nextNode()) {
    const element = words.currentNode.parentElement;
    if (!words.currentNode.data.trim() || !element.checkVisibility()) continue;
    const [a, b] = [getComputedStyle(element).color, behind(element)].map(light);
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), words.currentNode.data]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(opened, scheme):
    # 4.5 is level AA of the Web Content Accessibility Guidelines 2.2, criterion 1.4.3.
    opened.emulate_media(color_scheme=scheme)
    for study in ("", "chain", "spectrum"):
        opened.evaluate(f"location.hash = '{study}'")
        found = opened.evaluate(CONTRAST)
        assert len(found) > 20
        assert min(found)[0] >= 4.5, min(found)


def test_without_scripts_studies_are_listed_and_open(browser, results):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((results / "report" / "index.html").as_uri())
    assert shown(tab) == ["chain", "spectrum"]
    expect(tab.locator("#Filter")).not_to_be_visible()
    tab.locator("#spectrum h3 a").click()
    assert shown(tab) == ["spectrum"]
    expect(tab.locator("#spectrum .record")).to_be_visible()
    expect(tab.locator("#spectrum figcaption")).to_be_visible()
    context.close()


@pytest.mark.parametrize("study", ["", "chain"])
def test_print_has_what_is_shown_and_no_navigation(opened, study):
    opened.evaluate(f"location.hash = '{study}'")
    before = shown(opened)
    opened.emulate_media(media="print", color_scheme="dark")
    assert shown(opened) == before
    for gone in ("#Contents", "#Filter", "#Choices", "#Keys", ".way", ".copy", ".links"):
        assert opened.locator(f"{gone}:visible").count() == 0, gone
    background = "getComputedStyle(document.body).backgroundColor"
    assert opened.evaluate(background) == "rgb(255, 255, 255)"
    assert opened.locator("#chain .enlarge img").is_visible()


def test_links_lead_from_figure_to_data_to_points(opened, results):
    links = opened.locator("article a:not([href^='#'])").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    assert "../chain/data.nc" in links
    assert "../chain/blocks/" in links
    for link in links:
        assert (results / "report" / link).exists(), link


def test_a_figure_of_other_data_is_marked(opened):
    assert "drawn from other data" in opened.locator("#chain figcaption").text_content()
    assert "drawn from other data" not in opened.locator("#spectrum figcaption").text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_needs_no_scrolling_sideways(opened, scheme):
    opened.emulate_media(color_scheme=scheme)
    opened.set_viewport_size({"width": 360, "height": 700})
    assert_fits(opened)
    explore(opened, "chain")
    for details in opened.locator("details").all():
        details.evaluate("element => element.open = true")
    assert_fits(opened)


def assert_fits(tab):
    width, window = tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= window


def test_the_page_alone_has_its_pictures(browser, results, tmp_path):
    alone = shutil.copy(results / "report" / "index.html", tmp_path / "alone.html")
    tab = browser.new_page()
    tab.goto(Path(alone).as_uri())
    tab.locator("article h3 a").first.click()
    tab.locator(".enlarge").first.click()
    tab.wait_for_function("document.querySelector('#Enlarged img').src.startsWith('data:')")
    assert tab.locator("#Enlarged img").evaluate("image => image.decode().then(() => true)")
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

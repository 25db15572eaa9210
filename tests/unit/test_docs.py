"""Documents that hold facts of the code stay true."""

import importlib
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from test_layers import ALLOWED, GROUND

from nessflow.config.contents.layout import layout_of
from nessflow.config.grid import points_of
from nessflow.config.project import load_study
from nessflow.config.study import parameters_of
from nessflow.config.study_file import KEYS
from nessflow.figures.specs import SPEC
from nessflow.registry import find_kind, kind_names
from nessflow.studies.kind import Status
from nessflow.verbs.describe import (
    EXAMPLES,
    data_dictionary,
    describe_kind,
    describe_kinds,
    describe_study,
)
from nessflow.verbs.figure_checks import figure_problems
from nessflow.written.expressions import CONSTANTS, FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "nessflow"
PAGES = [ROOT / "README.md", ROOT / "config/README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*PAGES, *sorted(SOURCE.rglob("*.py"))]
"""All that may name a module: pages, docstrings, comments."""
OWN = re.compile(r"(parts/|my-project/).*|my_kind\.py|table\.py|tests/test_(laws|parts)\.py")
"""Files of the reader's own project."""
NAMED = re.compile(r"\| *((?:`[a-z0-9-]+`(?:, | and )?)+) *(?=\|)")


def own_studies() -> list[Path]:
    """Return the files of the studies that the tables of the documents list.

    Whoever saves a study of their own beside these does not change what the tests look at.
    """
    cells = NAMED.findall((ROOT / "docs" / "studies.md").read_text())
    names = {name for cell in cells for name in re.findall("`([^`]+)`", cell)}
    return [ROOT / "config" / "studies" / f"{name}.yaml" for name in sorted(names)]


STUDIES = own_studies()


def test_the_data_dictionary_is_that_of_the_kinds():
    assert (ROOT / "docs" / "data-dictionary.md").read_text() == data_dictionary()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("tier", ["paper", "smoke"])
def test_every_study_can_be_described(path, tier):
    study = load_study(path, tier=tier)
    text = describe_study(study)
    assert "2 pi" in text
    for axis in study.axes:
        assert axis.long_name
        assert axis.natural_units
        assert f"  {axis.name}: {len(axis.labels)} values" in text


def test_every_key_of_a_figure_is_documented():
    page = (ROOT / "docs" / "figures.md").read_text()
    schema = SPEC.json_schema()
    for model in schema["$defs"].values():
        for key, entry in model.get("properties", {}).items():
            assert f"`{key}`" in page, f"{model['title']}: {key}"
            for choice in (entry, *entry.get("anyOf", ())):
                for value in [*choice.get("enum", ()), choice.get("const")]:
                    assert value is None or f"`{value}`" in page, f"{key}: {value}"


def test_every_key_of_a_study_file_is_documented():
    page = (ROOT / "docs" / "study-files.md").read_text()
    for key in (*KEYS, *FUNCTIONS, *CONSTANTS, "outer", "inner", "natural_units", "long_name"):
        assert f"`{key}`" in page, key
    for word in (
        "linspace",
        "geomspace",
        "arange",
        "cases",
        "samples",
        "per_block",
        "seed",
        "range",
    ):
        assert word in page, word


def test_the_axes_on_the_page_are_axes(tmp_path):
    page = (ROOT / "docs" / "study-files.md").read_text()
    text = (EXAMPLES / "steady-current.yaml").read_text()
    text = text.replace("lattice:", "disorder: {kind: uniform, half_width: $V}\n  lattice:")
    text = text.split("axes:")[0] + page.split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "example.yaml"
    path.write_text(f"{text}ensemble: {re.search(r'`ensemble: ([^`]*)`', page)[1]}\n")
    path.write_text(path.read_text().replace("$gamma", "0.1"))
    study = load_study(path)
    assert [axis.name for axis in study.axes] == ["bias", "V", "monitored"]


def example_of(section, path):
    page = (ROOT / "docs" / "study-files.md").read_text().split(f"## {section}\n")[1]
    path.write_text(page.split("```yaml\n")[1].split("```")[0])
    return path


def test_the_formulas_on_the_page_are_computed(tmp_path):
    study = load_study(example_of("Formulas of sites, and regions", tmp_path / "example.yaml"))
    labels = next(points_of(study.axes))
    parameters = parameters_of(study, labels)
    assert parameters.system.loss.sites == tuple(range(1, 11))
    outcome = study.kind.evaluate(parameters, None)
    assert outcome.status == Status.OK, outcome.message


def test_the_observables_on_the_page_are_computed(tmp_path):
    path = example_of("Observables", tmp_path / "example.yaml")
    study = load_study(path, figure_specs=SPEC)
    assert not figure_problems(study, {study.name: layout_of(study)})
    for labels in points_of(study.axes):
        outcome = study.kind.evaluate(parameters_of(study, labels), None)
        assert outcome.status == Status.OK, outcome.message
        assert outcome.values["local_density_of_states"].shape == (20, 201)
    assert outcome.values["bond_current"][0] > outcome.values["bond_current"][-1] > 0


def test_the_figures_on_the_page_are_figures():
    page = (ROOT / "docs" / "figures.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0]
    for figure in YAML(typ="safe").load(text)["figures"]:
        SPEC.validate_python(figure)


def test_the_studies_of_the_documents_are_there():
    assert len(STUDIES) >= 72
    for path in STUDIES:
        assert path.exists(), path.name


def test_every_kind_is_described():
    assert set(kind_names()) <= {line.split(":")[0] for line in describe_kinds().splitlines()}


@pytest.mark.parametrize("name", kind_names())
def test_the_description_of_a_kind_has_every_key_with_its_unit(name):
    lines = describe_kind(name).splitlines()
    for model in _models(find_kind(name).Parameters.model_json_schema()):
        for key, entry in model.items():
            written = [line for line in lines if line.lstrip().startswith(f"{key}: ")]
            assert written, key
            unit = entry.get("natural_units", "1")
            assert unit == "1" or any(f"({unit})" in line for line in written), key


def _models(schema):
    return [m.get("properties", {}) for m in (schema, *schema.get("$defs", {}).values())]


@pytest.mark.parametrize("name", kind_names())
def test_the_example_of_a_kind_runs(name, tmp_path):
    path = tmp_path / "example.yaml"
    path.write_text(describe_kind(name).split("NAME.yaml\n\n")[1])
    study = load_study(path, figure_specs=SPEC)
    assert study.kind_name == name
    assert study.figures
    assert not figure_problems(study, {study.name: layout_of(study)})
    assert not study.ensemble
    points = list(points_of(study.axes))
    for labels in (points[0], points[-1]):
        outcome = study.kind.evaluate(parameters_of(study, labels), None)
        assert outcome.status == Status.OK, outcome.message


def test_every_example_is_of_a_kind():
    assert sorted(path.stem for path in EXAMPLES.iterdir()) == kind_names()


def test_links_of_the_documents_lead_somewhere():
    """To a file, and on a page to one of its headings."""
    for page in PAGES:
        for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
            place = page.parent / target if target else page
            assert place.exists(), f"{page.name}: {target}"
            assert not heading or heading in headings(place), f"{page.name}: {target}#{heading}"


def headings(page):
    """Return the headings of a page as links name them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in found}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_is_there(path):
    """Dotted names of nessflow, files of Python and, on pages, folders of the source."""
    text = path.read_text()
    for name in sorted(set(re.findall(r"(?<![\w./-])nessflow(?:\.[A-Za-z_]\w*)+", text))):
        assert is_there(name), f"{path.name}: {name}"
    files = {found.relative_to(ROOT).as_posix() for found in python_files()}
    for name in sorted(set(re.findall(r"[\w./-]*\w\.py\b(?!::)", text))):
        known = any(f"/{file}".endswith(f"/{name}") for file in files)
        assert known or OWN.fullmatch(name), f"{path.name}: {name}"
    if path in PAGES:
        for name in re.findall(r"`((?:\w+/)+)`", text):
            assert any((place / name).is_dir() for place in (SOURCE, ROOT)), f"{path.name}: {name}"


def python_files():
    for folder in ("src", "tests", "docs", "benchmarks", "envs"):
        yield from (ROOT / folder).rglob("*.py")


def is_there(name):
    """Return whether a dotted name is a module or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part, getattr(found, "model_fields", {}).get(part))
        return found is not None
    return False


def test_the_floors_of_the_page_are_those_of_the_source():
    """Each imports what stands below it, in its own column or on the ground."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    picture = page.split("## Floors")[1].split("```")[1]
    head, body, ground = re.split(r"\n *─+[┼┴]─+\n", picture)
    lines = [line.split("│") for line in body.splitlines()]
    places = {}
    for number, columns in enumerate([*lines, *([line] for line in ground.splitlines())]):
        for column, names in enumerate(columns):
            side = column if number < len(lines) else None
            places |= {name: (number, side) for name in re.findall(r"\w+(?=/|\.py)", names)}
    assert places.keys() == ALLOWED.keys()
    assert {name for name, (_, side) in places.items() if side is None} == GROUND
    for layer, (number, side) in places.items():
        for other in ALLOWED[layer] & places.keys() - {layer}:
            assert places[other][0] > number, f"{layer} imports {other}"
            assert places[other][1] in (side, None), f"{layer} imports {other}"
    modules = {path.stem for path in SOURCE.iterdir() if path.suffix in ("", ".py")}
    above = {name for name in modules if not name.startswith("_")} - places.keys()
    assert above == {*re.findall(r"\w+(?=/|\.py)", head)}


def test_every_erratum_has_its_test():
    tests = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", (ROOT / "docs" / "errata.md").read_text())
    assert len(named) > 10
    for file, name in named:
        assert f"def {name}(" in tests[file], f"{file}::{name}"


def test_every_picture_of_the_documents_says_where_it_comes_from():
    from nessflow.figures.record import read_record

    pictures = sorted((ROOT / "docs" / "images").rglob("*.png"))
    assert pictures
    for path in pictures:
        assert read_record(path)["data"], path.name


def test_benchmarks_say_whether_their_code_has_changed_since(monkeypatch):
    """``make docs`` writes it."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmarks = importlib.import_module("run_all")
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert list(benchmarks.sections(page)) == list(benchmarks.BENCHMARKS)
    assert benchmarks.marked(page) == page


def test_speeds_that_are_compared_were_measured():
    page = (ROOT / "docs" / "why-not.md").read_text().split("## Speed")[1].split("## Errors")[0]
    ratios = [row.rsplit("|", 2)[1] for row in re.findall(r"^\|.*\d.*\|$", page, re.M)]
    measured = (ROOT / "docs" / "benchmarks.md").read_text()
    sections = measured.split("\n## ")
    heads = ("How fast is it against Kwant and QuTiP?", "What do leads of coupled orbitals cost")
    found = {x.rstrip(",") for text in sections if text.startswith(heads) for x in text.split()}
    numbers = [number for ratio in ratios for number in ratio.split(" to ")]
    assert len(numbers) > 5
    assert {number.strip() for number in numbers} <= found


def test_errors_that_are_compared_were_measured():
    page = (ROOT / "docs" / "why-not.md").read_text().split("## Errors")[1].split("## Which")[0]
    section = (ROOT / "docs" / "benchmarks.md").read_text()
    section = section.split("## How wrong is a uniform energy grid?")[1].split("\n## ")[0]
    rows = re.findall(r"^ +\d+ +(.*)$", section, re.M)
    assert len(rows) == 4
    _, coarse, _, fine, energies, errors = zip(
        *(map(float, row.split()) for row in rows), strict=True
    )
    words = " ".join(page.split())
    assert f"by {100 * min(coarse):g} to {100 * max(coarse):g} per cent with 1001" in words
    assert f"by {100 * min(fine):g} to {100 * max(fine):g} per cent with 100001" in words
    assert f"took {min(energies):.0f} to {max(energies):.0f} energies" in words
    assert f"errors up to {max(errors):.0e}".replace("e-0", "e-") in words


def test_code_that_changed_is_told_from_code_that_did_not(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmarks = importlib.import_module("run_all")
    monkeypatch.setattr(benchmarks, "digest", lambda name: "new" if name == "noise" else "old")
    text = "## Q?\n\n`python benchmarks/{}.py`\n\nCode measured: `old`.\n\nA remark.\n\n"
    page = benchmarks.INTRODUCTION + text.format("noise") + text.format("poles")
    found = benchmarks.sections(benchmarks.marked(page))
    assert "`old`; it has changed since.\n\nA remark." in found["noise"]
    assert "`old`.\n\nA remark." in found["poles"]

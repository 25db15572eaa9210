"""Documents that hold facts of the code stay true."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from nessflow.description import data_dictionary, describe_kinds, describe_study
from nessflow.figures.specs import SPEC
from nessflow.pipeline.config import load_study
from nessflow.studies.kind import find_kind, kind_names

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted((ROOT / "config" / "studies").glob("*.yaml"))


def test_the_data_dictionary_is_that_of_the_kinds():
    assert (ROOT / "docs" / "data-dictionary.md").read_text() == data_dictionary()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("tier", ["paper", "smoke"])
def test_every_study_can_be_described(path, tier):
    study = load_study(path, tier=tier, find_kind=find_kind, kind_names=kind_names())
    text = describe_study(study, find_kind(study.kind))
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


def test_the_figures_on_the_page_are_figures():
    page = (ROOT / "docs" / "figures.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0]
    for figure in YAML(typ="safe").load(text)["figures"]:
        SPEC.validate_python(figure)


def test_every_study_is_documented():
    text = (ROOT / "docs" / "studies.md").read_text()
    for path in STUDIES:
        assert f"`{path.stem}`" in text


def test_every_kind_is_described():
    assert set(kind_names()) <= {line.split(":")[0] for line in describe_kinds().splitlines()}


def test_links_of_the_documents_lead_somewhere():
    import re

    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_erratum_has_its_test():
    import re

    tests = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", (ROOT / "docs" / "errata.md").read_text())
    assert len(named) > 10
    for file, name in named:
        assert f"def {name}(" in tests[file], f"{file}::{name}"

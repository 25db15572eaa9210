"""What ``nessflow init`` and ``nessflow new`` write and refuse."""

import itertools
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from nessflow.cli import commands
from nessflow.config.project import ConfigError, load_project
from nessflow.errors import Problem
from nessflow.figures.specs import SPEC
from nessflow.registry import kind_names, use_project
from nessflow.store.citation import (
    NOT_STATED,
    Author,
    attributes_of,
    citation_of,
    citation_problems,
    read_citation,
)
from nessflow.verbs.begin.init import TEMPLATE, init_project, new_study


@pytest.fixture(autouse=True)
def ours(monkeypatch):
    """Have parts looked for in this project again, whatever a test was in."""
    yield
    monkeypatch.undo()
    use_project(Path(__file__))


@pytest.fixture
def begun(tmp_path, monkeypatch):
    list(init_project(tmp_path / "my-paper", "Ada Lovelace"))
    monkeypatch.chdir(tmp_path / "my-paper")
    use_project(tmp_path / "my-paper")
    return tmp_path / "my-paper"


def test_what_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "config" / "studies").mkdir(parents=True)
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "Snakefile").symlink_to("nowhere")
    lines = list(init_project(tmp_path, "Ada", github=True))
    assert (tmp_path / "README.md").read_text() == "mine"
    assert (tmp_path / "Snakefile").is_symlink()
    assert sum("stays as it is" in line for line in lines) == 2
    # Nobody who has studies needs others.
    assert not list((tmp_path / "config" / "studies").iterdir())
    assert not (tmp_path / "parts").exists()
    assert (tmp_path / ".github" / "workflows" / "run.yml").is_file()
    assert not (tmp_path / "profiles" / "slurm").exists()
    assert (tmp_path / ".gitignore").is_file()


def test_what_died_is_begun_anew(tmp_path):
    """Killed after any file, and with one half written."""
    whole, folder = tmp_path / "whole" / "a", tmp_path / "a"
    count = sum(1 for _ in init_project(whole, "Ada"))
    for number in range(1, count - 1):
        list(itertools.islice(init_project(folder, "Ada"), number))
        (folder / ".Snakefile.0123456789ab.tmp").write_text("half")
        list(init_project(folder, "Ada"))
        found, wanted = ({p.relative_to(x): p for p in x.rglob("*")} for x in (folder, whole))
        assert found.keys() == wanted.keys()
        shutil.rmtree(folder)


def test_who_makes_it_is_told_or_known_to_git(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, str(tmp_path / "git"))
    done = CliRunner().invoke(commands, ["init", "a"], standalone_mode=False)
    assert "--author 'Given Family'" in str(done.exception)
    assert not (tmp_path / "a").exists()
    (tmp_path / "git").write_text("[user]\n  name = Emmy Noether\n")
    assert CliRunner().invoke(commands, ["init", "a"]).exit_code == 0
    assert "Emmy Noether" in (tmp_path / "a" / "LICENSE").read_text()
    assert CliRunner().invoke(commands, ["init", "b", "--author", "Ada"]).exit_code == 0
    assert ", Ada\n" in (tmp_path / "b" / "LICENSE").read_text()


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "config").write_text("")
    with pytest.raises(ConfigError, match="config is something else"):
        list(init_project(tmp_path, "Ada"))


@pytest.mark.parametrize(
    ("author", "written"),
    [
        ("Ada Lovelace", Author("Ada", "Lovelace")),
        ("José O'Neil Peña", Author("José O'Neil", "Peña")),
        ("Plato", Author(whole="Plato")),
        ("x: [y] #z", Author("x: [y]", "#z")),
    ],
)
def test_the_citation_is_of_the_user(tmp_path, author, written):
    folder = tmp_path / "it's: a #project"
    list(init_project(folder, author))
    citation = read_citation(folder)
    assert citation.title == folder.name
    assert citation.authors == (written,)
    assert author in (folder / "LICENSE").read_text()
    assert citation_of(folder) == citation
    assert citation.licence == "BSD-3-Clause"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("license: BSD-3-Clause", "license: [MIT]", "license = "),
        ("license: BSD-3-Clause", "licence: MIT", "license: expected an identifier of spdx.org"),
        ("title: ", "titel: ", "title: expected what the project is called"),
        ("authors:", "author:", "authors: expected a list"),
        ("    family-names: ", "    family: ", None),
        ("  - given-names: 'Ada'\n    family-names", "  - family", "authors.0 = "),
        ("license: BSD-3-Clause", "license: cc-by-4.0", "did you mean 'CC-BY-4.0'?"),
        ("license: BSD-3-Clause", "license: BSD", "license = BSD: expected an identifier"),
        ("license: BSD-3-Clause", "license: MIT OR ISC", "license = MIT OR ISC: expected"),
        ("# orcid: https://orcid.org/", "orcid: ", "authors.0.orcid = 0000-0000-0000-0000"),
        ("# orcid: ", "orcid: ", "its last character checks the others"),
        ("# doi: 10.", "doi: https://doi.org/10.", "a DOI without address, such as 10.5281/"),
        ("# doi: 10.5281/zenodo.0000000", "doi: 10.5281", "doi = 10.5281: expected a DOI"),
    ],
)
def test_faults_of_the_citation_are_named_by_line(begun, old, new, fault):
    path = begun / "CITATION.cff"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    if fault is None:
        assert read_citation(begun)
        return
    with pytest.raises(ConfigError) as caught:
        read_citation(begun)
    assert fault in str(caught.value)
    assert str(path) in str(caught.value)
    # Numbers need none of it.
    assert attributes_of(citation_of(begun)) == {"license": NOT_STATED}
    assert [str(problem) for problem in citation_problems(begun)] == str(caught.value).splitlines()


def test_no_placeholder_is_left(begun):
    for path in begun.rglob("*"):
        if path.is_file():
            assert not re.search("@[a-z]+@", path.read_text()), path


def test_settings_may_be_absent(begun):
    (begun / "config" / "config.yaml").unlink()
    project = load_project(begun, figure_specs=SPEC)
    assert project.tier == "paper"
    assert project.results == begun / "results"
    assert set(project.studies) == {"first-wire", "own-parts"}
    with pytest.raises(ConfigError, match="expected one of the studies first-wire, own-parts"):
        load_project(begun, studies="other")


def test_both_tiers_of_the_first_study(begun):
    sizes = [load_project(begun, tier=tier).studies["first-wire"] for tier in ("paper", "smoke")]
    assert [len(study.blocks) for study in sizes] == [4, 4]
    assert not [study.warnings for study in sizes if study.warnings]


@pytest.mark.parametrize("kind", kind_names())
def test_a_study_like_the_example_of_a_kind(begun, kind):
    new_study("mine", kind)
    assert load_project(begun, studies="mine").studies["mine"].kind_name == kind


def test_a_study_like_another_one_keeps_its_comments(begun):
    new_study("mine", "first-wire")
    text = (begun / "config/studies/mine.yaml").read_text()
    assert text == (TEMPLATE / "config/studies/first-wire.yaml").read_text()
    assert YAML(typ="safe").load(text)["title"]


@pytest.mark.parametrize(
    ("name", "source", "fault"),
    [
        ("own-parts", "first-wire", "NAME = own-parts: expected a name that is free"),
        ("../x", "first-wire", "NAME = ../x: expected a name of a-z"),
        ("all", "first-wire", "that no command has"),
        ("mine", "first-wir", "did you mean 'first-wire'?"),
        ("mine", "transmision", "did you mean 'transmission'?"),
        ("mine", "../../LICENSE", "--from = ../../LICENSE: expected a kind, or a file in"),
    ],
)
def test_names_that_cannot_be(begun, name, source, fault):
    before = sorted(begun.rglob("*"))
    with pytest.raises(ConfigError) as caught:
        new_study(name, source)
    assert fault in str(caught.value)
    assert all(isinstance(problem, Problem) for problem in caught.value.problems)
    assert sorted(begun.rglob("*")) == before

"""A share of ``damaging.py``: damage of any file is found, not served, and repaired at once."""

import random
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
from damaging import DAMAGES, broken, repaired, served, stored

import nessflow
from conftest import Project
from nessflow.run.gather import gather_study
from nessflow.store.files import StoreError
from nessflow.store.manifest import MANIFEST, settle
from nessflow.verbs.draw import draw_study, list_figures
from nessflow.verbs.verify import report_faults, study_faults
from nessflow.verbs.workflow import jobs_of, old_figures, read_project


@pytest.fixture
def project(ready) -> Project:
    return ready


def results_of(project: Project) -> Path:
    return project.folder / "results"


def faults(project: Project, study: str) -> list[str]:
    with chdir(project.folder):
        loaded = read_project(Path(), studies="all")
        return [str(fault) for fault in study_faults(loaded, loaded.studies[study])]


def test_damaged_files_are_named_not_served_and_made_anew_in_one_run(project, finished):
    whole = stored(results_of(project))
    number, violations = broken(project, 6, random.Random(4))
    assert number > 3
    assert violations == []
    # All figures of another study with their manifest: each of them is sound.
    figures = results_of(project) / "spectrum" / "figures"
    shutil.rmtree(figures)
    shutil.copytree(results_of(finished) / "chain" / "figures", figures)
    assert any("of the study 'chain'" in fault for fault in faults(project, "spectrum"))
    left = "spectrum/figures/current."
    assert [text for text in repaired(project, whole) if not text.startswith(left)] == []


@pytest.mark.parametrize("kind", DAMAGES)
def test_every_damage_of_every_sort_of_file_is_found(project, monkeypatch, kind):
    """Without a run: the files are put back."""
    monkeypatch.chdir(project.folder)
    loaded = read_project(Path(), studies="all")
    results = Path("results")
    chance = random.Random(5)
    names = ["data.nc", "failures.csv", MANIFEST, "figures/captions.txt", f"figures/{MANIFEST}"]
    names += [f"figures/current.{suffix}" for suffix in ("png", "svg", "pdf", "json")]
    for name in [*names, "blocks/mu~0.1/seeds~00000-00009.nc"]:
        path = results / "chain" / name
        content, mode = path.read_bytes(), path.stat().st_mode
        DAMAGES[kind](path, chance)
        found = [fault.path for fault in study_faults(loaded, loaded.studies["chain"])]
        assert path in found, name
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    assert faults(project, "chain") == []


def test_data_of_another_study_are_served_by_nobody(project, monkeypatch):
    results = results_of(project)
    for name in ("data.nc", "failures.csv", MANIFEST):
        shutil.copy(results / "spectrum" / name, results / "chain" / name)
    assert list(served(project, "chain/data.nc")) == []
    found = faults(project, "chain")
    assert "results/chain/manifest.json: of the study 'spectrum'" in found[0]
    assert any("data.nc: holds the data of the study 'spectrum'" in text for text in found)
    monkeypatch.chdir(project.folder)
    loaded = read_project(Path(), studies="all")
    with pytest.raises(StoreError, match="holds the data of the study 'spectrum'"):
        draw_study(loaded.studies["chain"], loaded.studies, loaded.results, print)
    with pytest.raises(StoreError, match="holds the data of the study 'spectrum'"):
        nessflow.load("chain")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("rate: 0.1", "rate: 0.2", "with other parameters"),
        ("inner: [0.5, 1.0]", "inner: [0.5, 1.5]", "have other axis values"),
        ("samples: 20", "samples: 30", "have 20 samples"),
        ("figures:", "fits: [{name: a, model: power-law, x: V, y: n_samples}]\nfigures:", "fits"),
    ],
)
def test_data_of_the_study_as_it_was_are_not_served(project, monkeypatch, old, new, reason):
    project.edit("config/studies/chain.yaml", old, new)
    monkeypatch.chdir(project.folder)
    with pytest.raises(StoreError, match=reason):
        nessflow.load("chain")
    assert any(reason in fault or "as it is now" in fault for fault in faults(project, "chain"))
    # Elsewhere, where no study is, they are what they say.
    shutil.copytree(results_of(project), project.folder.parent / "elsewhere")
    assert nessflow.load("chain", project.folder.parent / "elsewhere").attrs["study"] == "chain"


def test_data_of_another_tier_or_source_are_not_served(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    shutil.copytree(results_of(project) / "chain", results_of(project) / "smoke" / "chain")
    with pytest.raises(StoreError, match="holds the data of the tier 'paper'"):
        nessflow.load("chain", "results/smoke")
    monkeypatch.setattr("nessflow.config.study.Study.digest", "0" * 16)
    with pytest.raises(StoreError, match="with another version of the source"):
        nessflow.load("chain")


def test_a_figure_of_other_specifications_is_named(project):
    project.edit("config/studies/chain.yaml", "name: current", "name: current, caption: new")
    (fault,) = faults(project, "chain")
    assert "results/chain/figures/manifest.json: not of the study as it is now" in fault


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png", "json"])
@pytest.mark.parametrize("how", ["deleted", "empty"])
def test_a_figure_without_a_list_is_what_its_record_says(project, suffix, how):
    """Lost or damaged the list cannot tell; a new one must not make a damaged figure sound."""
    figures = results_of(project) / "chain" / "figures"
    DAMAGES[how](figures / MANIFEST, random.Random(6))
    assert len(faults(project, "chain")) == 1
    DAMAGES["bit"](figures / f"current.{suffix}", random.Random(6))
    assert any(f"figures/current.{suffix}: " in fault for fault in faults(project, "chain"))
    with chdir(project.folder):
        chain = read_project(Path(), studies="all").studies["chain"]
        with pytest.raises(StoreError, match=rf"current\.{suffix}: "):
            list_figures(chain, Path("results"))


def test_a_damaged_figure_without_a_list_is_drawn_again(project):
    whole = stored(results_of(project))
    figures = results_of(project) / "chain" / "figures"
    (figures / MANIFEST).unlink()
    DAMAGES["bit"](figures / "current.png", random.Random(7))
    assert list(repaired(project, whole)) == []


def test_another_sealed_file_in_the_place_of_a_record_is_no_record(project):
    figures = results_of(project) / "chain" / "figures"
    shutil.move(figures / MANIFEST, figures / "current.json")
    with chdir(project.folder):
        chain = read_project(Path(), studies="all").studies["chain"]
        (fault,) = old_figures(chain, Path("results"))
    assert "current.json: of a figure that is drawn otherwise now" in str(fault)


def test_a_damaged_page_is_named(project, monkeypatch):
    assert project.nessflow("report").returncode == 0
    monkeypatch.chdir(project.folder)
    loaded = read_project(Path(), studies="all")
    assert report_faults(loaded) == []
    page = results_of(project) / "report" / "index.html"
    page.write_bytes(page.read_bytes() + b" ")
    (fault,) = report_faults(loaded)
    assert "report/index.html: changed since" in str(fault)


def test_a_page_of_other_results_is_named(project, monkeypatch):
    assert project.nessflow("report").returncode == 0
    monkeypatch.chdir(project.folder)
    project.edit("config/studies/chain.yaml", "Small disordered chain", "Another title")
    loaded = read_project(Path(), studies="all")
    chain = loaded.studies["chain"]
    gather_study(chain, Path("results/chain"))
    draw_study(chain, loaded.studies, loaded.results, progress=lambda line: None)
    assert study_faults(loaded, chain) == []
    (fault,) = report_faults(loaded)
    assert "report/manifest.json: made from other data or figures" in str(fault)
    # What is not here, as in an archive of some studies, tells nothing.
    shutil.rmtree("results/chain")
    assert report_faults(loaded) == []


def test_the_page_leaves_nothing_behind(project):
    folder = results_of(project) / "report"
    folder.mkdir()
    for name in (".index.0123456789ab.tmp.html", "index.html.damaged"):
        (folder / name).write_text("half")
    assert project.nessflow("report").returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", MANIFEST]


def test_a_sound_project_is_left_alone(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    before = stored(results_of(project))
    for study in read_project(Path(), studies="all").studies.values():
        assert settle(Path("results") / study.name, jobs_of(Path("results"), study).state) == []
    assert stored(results_of(project)) == before


def test_a_link_that_leads_nowhere_is_out_of_the_way(project, monkeypatch):
    """Snakemake takes it for a file whose time it cannot tell."""
    monkeypatch.chdir(project.folder)
    path = Path("results/chain/data.nc")
    path.unlink()
    path.symlink_to("nowhere")
    chain = read_project(Path(), studies="all").studies["chain"]
    (line,) = settle(path.parent, jobs_of(Path("results"), chain).state)
    assert "data.nc: no such file; renamed to data.nc.damaged" in line
    assert not path.is_symlink()

"""A study file with faults costs itself, and what reads it, and no other study."""

import pytest

from conftest import SPECTRUM

READER = f"""{SPECTRUM.rstrip()}
  - name: both
    plot: lines
    x: energy
    y: loss_transmission
    sel: {{t_S: 1}}
    layers: [{{y: loss_transmission, from: broken, sel: {{t_S: 1}}, label: other}}]
"""
BROKEN = {
    "no YAML": "title: [x\n",
    "empty": "",
    "a key": SPECTRUM.replace("broadening", "broadning"),
    "a figure": SPECTRUM.replace("z: loss_tr", "z: los_tr"),
    "no text": "\x00\xff",
}


@pytest.fixture
def beside(project):
    project.study("broken").write_text(SPECTRUM.replace("points: 7", "points: 1"))
    project.study("reader").write_text(READER)
    return project


def test_others_run_beside_a_broken_file(beside):
    done = beside.snakemake("spectrum", "results/reader/figures/loss.svg")
    assert done.returncode == 0, done.stderr
    assert "warning:" in done.stderr
    assert "broken.yaml:9: energies.points = 1" in done.stderr
    assert (beside.folder / "results/spectrum/figures/loss.pdf").exists()
    # The figures of another study that do not read it, too.
    assert (beside.folder / "results/reader/figures/loss.pdf").exists()
    assert not (beside.folder / "results/broken").exists()
    for target in ("broken", "reader", "results/reader/figures/both.svg"):
        done = beside.snakemake(target)
        assert done.returncode in (1, 2), target
        assert "Traceback" not in done.stderr
        assert "figures/both" in target or "asked for, and refused: broken" in done.stderr


def test_who_only_looks_is_told_and_not_stopped(beside):
    jobs = beside.jobs()
    assert jobs["block"] == 6
    assert "list_figures_reader" not in jobs
    assert "list_figures_chain" in jobs
    done = beside.snakemake("--lint")
    assert "warning:" in done.stderr
    assert "broken.yaml:9" in done.stderr
    done = beside.nessflow("plan")
    assert done.returncode == 2
    assert {"chain", "spectrum", "reader"} <= set(done.stdout.split())
    assert done.stderr.count("broken.yaml:9: energies.points = 1") == 1


def test_all_studies_are_refused_with_the_broken_one(beside):
    done = beside.snakemake()
    assert done.returncode == 2
    assert "asked for, and refused: broken" in done.stderr
    assert done.stderr.count("energies.points = 1") == 1
    assert not (beside.folder / "results").exists()


@pytest.mark.parametrize("name", BROKEN)
def test_any_fault_of_a_file_beside(project, name, capsys, monkeypatch):
    from nessflow.verbs.workflow import open_project

    project.study("broken").write_bytes(BROKEN[name].encode("latin-1"))
    (project.folder / "config/studies/Other Name.yaml").write_text(SPECTRUM)
    (project.folder / "config/studies/ending.yml").write_text(SPECTRUM)
    found = open_project(project.folder, {})
    assert found.chosen == ["chain", "spectrum"]
    assert set(found.broken) == {"broken", "Other Name", "ending"}
    assert found.refused == ["broken", "ending"] or set(found.refused) == {"broken", "ending"}
    with pytest.raises(SystemExit) as caught:
        open_project(project.folder, {"studies": "broken"})
    assert caught.value.code == 2
    assert "broken.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["verify", "retry"])
def test_the_sound_studies_are_looked_at(beside, verb):
    done = beside.nessflow(verb)
    assert done.returncode == 2
    assert {"chain:", "spectrum:"} <= set(done.stdout.split())
    assert "broken.yaml:9: energies.points = 1" in done.stderr


def test_a_copy_of_another_ending_does_not_take_its_study(project):
    copy = project.study("spectrum").with_suffix(".yml")
    copy.write_text(SPECTRUM)
    assert project.snakemake("-n", "spectrum").returncode == 0
    done = project.nessflow("plan")
    assert done.returncode == 2
    assert "spectrum" in done.stdout
    assert f"{copy.name}: expected the ending .yaml; rename the file" in done.stderr

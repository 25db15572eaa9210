"""Studies in one process: the files of the rules, and each way goes on where the other one was."""

from pathlib import Path

from nessflow.config.project import load_study
from nessflow.store.store import read_dataset
from nessflow.verbs.direct.trial import coarse

OF_THE_ROUTE = ("logs", "benchmarks")
"""What says how something was made, not what."""


def files(project, study: str = "") -> dict[str, bytes]:
    """Return what a run has made, byte for byte."""
    results = project.folder / "results"
    return {
        path.relative_to(results).as_posix(): path.read_bytes()
        for path in (results / study).rglob("*")
        if path.is_file() and not set(OF_THE_ROUTE) & set(path.parts) and path.name != ".lock"
    }


def made(project) -> dict[Path, int]:
    """Return when each file of results was made, less the lock."""
    found = (project.folder / "results").rglob("*")
    return {x: x.stat().st_mtime_ns for x in found if x.is_file() and x.name != ".lock"}


def test_both_ways_make_the_same_files(project, finished):
    done = project.nessflow("run")
    assert done.returncode == 0, done.stderr
    assert files(project) == files(finished)
    assert (project.folder / "results/chain/logs/mu~0.1/seeds~00000-00009.log").exists()
    assert project.jobs() == {}
    before = made(project)
    done = project.nessflow("run")
    assert (done.returncode, done.stderr) == (0, "")
    assert made(project) == before


def test_each_way_goes_on_where_the_other_one_was(ready):
    study = "config/studies/chain.yaml"
    assert ready.nessflow("run").stderr == ""
    ready.edit(study, "rate: 0.1", "rate: 0.2")
    ready.edit(study, "samples: 20", "samples: 30")
    assert ready.nessflow("run", "chain").returncode == 0
    assert ready.jobs() == {}
    ready.edit(study, "inner: [0.5, 1.0]", "inner: [0.5, 0.75, 1.0]")
    assert ready.snakemake("chain").returncode == 0
    assert ready.nessflow("run").stderr == ""
    ready.edit(study, "y: net_particle_current,", "y: net_particle_current, ylabel: I,")
    ready.edit(study, "inner: [0.5, 0.75, 1.0]", "inner: [0.5, 1.0]")
    done = ready.nessflow("run")
    assert done.returncode == 0
    assert "points" not in done.stderr, "values that are taken away need no solving"
    assert ready.jobs() == {}
    assert ready.nessflow("verify").returncode == 0


def test_a_run_makes_the_points_that_are_missing_and_no_others(ready):
    block = ready.folder / "results/chain/blocks/mu~0.3/seeds~00010-00019.nc"
    before, whole = made(ready), files(ready)
    block.unlink()
    assert ready.nessflow("run", "chain").returncode == 0
    after = made(ready)
    changed = {path for path in after if after[path] != before.get(path)}
    blocks = [path for path in changed if path.parent.parent.name == "blocks"]
    assert blocks == [block]
    assert not any("spectrum" in path.parts for path in changed)
    assert files(ready) == whole


def test_a_figure_that_cannot_be_drawn_costs_no_other(project):
    good = "  - {name: current, plot"
    bad = "  - {name: bad, plot: lines, x: V, y: net_particle_current_mean, hue: mu, "
    project.edit("config/studies/chain.yaml", good, f"{bad}ylabel: {'long ' * 400}}}\n{good}")
    done = project.nessflow("run")
    assert done.returncode == 2
    assert "figure bad of chain" in done.stderr
    assert "failed, see above: chain" in done.stderr
    assert (project.folder / "results/chain/figures/current.svg").exists()
    assert (project.folder / "results/spectrum/figures/loss.svg").exists()


def test_a_study_with_faults_is_refused_by_its_name_alone(project):
    project.edit("config/studies/chain.yaml", "sites: 6", "sites: -6")
    done = project.nessflow("run", "chain")
    assert done.returncode == 2
    assert "sites" in done.stderr
    assert project.nessflow("run", "spectrum").returncode == 0
    assert (project.folder / "results/spectrum/figures/manifest.json").exists()


def test_a_study_is_tried_beside_broken_ones_and_touches_no_results(ready):
    before = made(ready)
    ready.edit("config/studies/spectrum.yaml", "sites: 4", "sites: -4")
    inner = "inner: {linspace: [0.5, 1.0, 301]}"
    ready.edit("config/studies/chain.yaml", "inner: [0.5, 1.0]", inner)
    done = ready.nessflow("try", "chain")
    assert done.returncode == 0, done.stderr
    title, *table, picture = done.stdout.splitlines()
    assert title.startswith("chain: ")
    assert "of 12040 points (V " in title
    assert title.endswith("of 301, samples 4 of 20)")
    assert any("net_particle_current: " in line for line in table)
    assert Path(picture).read_bytes().startswith(b"\x89PNG")
    assert made(ready) == before
    whole = ready.nessflow("try", "spectrum")
    assert whole.returncode == 2
    assert "sites" in whole.stderr


def test_a_trial_has_the_numbers_of_the_study_and_is_none_of_its_results(ready):
    assert ready.nessflow("try", "spectrum").stdout.startswith("spectrum: 2 points\n")
    path = ready.folder / ".snakemake/nessflow/try/spectrum/data.nc"
    tried, whole = read_dataset(path), read_dataset(ready.folder / "results/spectrum/data.nc")
    assert tried.attrs["tier"] == "try"
    assert tried.attrs["command"] == "nessflow try spectrum"
    assert tried.drop_attrs().identical(whole.drop_attrs())


def test_thinned_axes_keep_their_ends_and_what_figures_select(ready):
    study = load_study(ready.study("chain"), overrides=["axes.mu.outer={linspace: [0, 1, 101]}"])
    few = coarse(study, {"mu": {"0.37"}})
    (mu, disorder) = few.axes
    assert {mu.labels[0], mu.labels[-1], "0.37"} <= {*mu.labels} < {*study.axes[0].labels}
    assert disorder.labels == study.axes[1].labels
    assert few.ensemble.samples == 4
    smoke = ready.study("chain").read_text() + "tiers: {smoke: {ensemble.samples: 12}}\n"
    ready.study("chain").write_text(smoke)
    assert coarse(load_study(ready.study("chain"), tier="smoke"), {}).ensemble.samples == 12

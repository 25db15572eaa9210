"""What a change makes run again, and nothing more."""

import shutil

import numpy as np

from nessflow.store.store import read_dataset

NEW_BLOCKS = {
    "block": 2,
    "gather_chain": 1,
    "draw": 1,
    "list_figures_chain": 1,
    "all": 1,
    "total": 6,
}

NUMBER = '''
"""Number of sites."""

from nessflow.estimate import Estimate
from nessflow.observables.observable import Observable
from nessflow.outcome import Variable


class Number(Observable):
    """Number of sites."""

    name = "number"
    variables = {"number": Variable((), "1", "number of sites")}

    def evaluate(self, system):
        return {"number": Estimate(system.sites, 0.0)}
'''


def test_more_samples_compute_new_blocks_only(ready):
    ready.edit("config/studies/chain.yaml", "samples: 20", "samples: 30")
    assert ready.jobs() == NEW_BLOCKS


def test_a_new_outer_value_computes_its_blocks_only(ready):
    ready.edit("config/studies/chain.yaml", "outer: [0.1, 0.3]", "outer: [0.1, 0.2, 0.3]")
    assert ready.jobs() == NEW_BLOCKS


def test_a_new_inner_value_computes_its_points_only(ready, project):
    ready.edit("config/studies/chain.yaml", "inner: [0.5, 1.0]", "inner: [0.5, 0.75, 1.0]")
    assert ready.jobs()["block"] == 4
    done = ready.snakemake("chain")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("20 points reused, 10 computed") == 4
    project.edit("config/studies/chain.yaml", "inner: [0.5, 1.0]", "inner: [0.5, 0.75, 1.0]")
    assert project.snakemake("results/chain/data.nc").returncode == 0
    assert ready.data("chain") == project.data("chain")


def test_a_new_inner_case_computes_its_points_only(project):
    axes = """\
  reach: {outer: [2, 3], natural_units: t, long_name: highest energy}
  loss:
    inner:
      cases:
        weak: {system.loss.rate: 0.1}
"""
    project.edit("config/studies/spectrum.yaml", "axes:\n", f"axes:\n{axes}")
    project.edit("config/studies/spectrum.yaml", "stop: 3, points: 7", "stop: $reach, points: 6")
    project.edit("config/studies/spectrum.yaml", "z: loss", "sel: {reach: 3, loss: weak}, z: loss")
    done = project.snakemake("spectrum")
    assert done.returncode == 0, done.stderr
    first = read_dataset(project.folder / "results/spectrum/data.nc")
    energies = [-3, -2, -1.8, -1, -0.6, 0, 0.6, 1, 1.8, 2, 3]
    np.testing.assert_allclose(first["energy"], energies, atol=1e-12)
    assert "no such energy" in first["loss_transmission"].attrs["undefined"]
    case = "        weak: {system.loss.rate: 0.1}\n"
    new = "        none: {system.loss: null}\n"
    project.edit("config/studies/spectrum.yaml", case, case + new)
    done = project.snakemake("spectrum")
    assert done.stderr.count("2 points reused, 2 computed") == 2, done.stderr
    second = read_dataset(project.folder / "results/spectrum/data.nc")
    assert second.sel(loss=["weak"]).drop_attrs().equals(first.drop_attrs())


def test_points_that_took_too_long_are_computed_again_when_asked_for(ready):
    undisturbed = ready.data("chain")
    study = "config/studies/chain.yaml"
    shutil.rmtree(ready.folder / "results" / "chain")
    ready.edit(study, "study:", "time_limit: 1.0e-6\nstudy:")
    done = ready.snakemake("chain")
    assert done.returncode == 0, done.stderr
    failures = (ready.folder / "results/chain/failures.csv").read_text()
    assert failures.count("time_limit,longer than time_limit = 1e-06 s") == 80
    ready.edit(study, "time_limit: 1.0e-6", "time_limit: 60")
    assert ready.jobs("chain") == {}
    assert "chain: 80 failed points" in ready.nessflow("retry", "chain").stdout
    assert ready.jobs("chain")["block"] == 4
    done = ready.snakemake("chain")
    assert done.stderr.count("0 points reused, 20 computed") == 4, done.stderr
    assert ready.data("chain") == undisturbed
    assert "chain: 0 failed points" in ready.nessflow("retry", "chain").stdout
    assert ready.jobs("chain") == {}


def test_a_style_edit_redraws_only(ready):
    style = "src/nessflow/figures/paper.mplstyle"
    (ready.folder / style).write_text((ready.folder / style).read_text() + "lines.linewidth: 3\n")
    lists = {"list_figures_chain", "list_figures_spectrum"}
    assert set(ready.jobs()) == {"draw", *lists, "all", "total"}


def test_a_comment_in_a_solver_reruns_nothing(ready):
    solver = ready.folder / "src/nessflow/scattering/currents.py"
    solver.write_text(solver.read_text() + "\n# A remark.\n")
    assert ready.jobs() == {}


def test_touched_files_rerun_nothing(ready):
    for path in (ready.folder / "src").rglob("*.py"):
        path.touch()
    for path in (ready.folder / "config").rglob("*.yaml"):
        path.touch()
    assert ready.jobs() == {}


def test_a_changed_solver_reruns_its_studies_only(ready):
    kind = ready.folder / "src/nessflow/kinds/transmission.py"
    kind.write_text(kind.read_text() + "\nCHANGED = 1\n")
    jobs = ready.jobs()
    assert jobs["block"] == 1
    assert "list_figures_spectrum" in jobs
    assert "list_figures_chain" not in jobs


def test_an_observable_is_all_that_is_computed_when_it_is_new_or_changed(ready, project):
    chosen = "observables: [currents, noise, density]\naxes:"
    ready.edit("config/studies/chain.yaml", "axes:", chosen)
    assert ready.jobs()["block"] == 4
    printed = ready.nessflow("plan", "chain").stdout
    assert "4 of 4 blocks: new observable density, observables left out; then data" in printed
    done = ready.snakemake("chain")
    assert done.stderr.count("0 points reused, 20 computed (20 of them in part)") == 4, done.stderr
    project.edit("config/studies/chain.yaml", "axes:", chosen)
    assert project.snakemake("results/chain/data.nc").returncode == 0
    assert ready.data("chain") == project.data("chain")
    assert ready.jobs() == {}
    source = ready.folder / "src/nessflow/observables/density.py"
    source.write_text(source.read_text() + "\nCHANGED = 1\n")
    printed = ready.nessflow("plan", "chain").stdout
    assert "chain: 4 of 4 blocks: code of density changed; then data and figures" in printed
    done = ready.snakemake("results/chain/data.nc")
    assert done.stderr.count("0 points reused, 20 computed (20 of them in part)") == 4, done.stderr
    ready.edit("config/studies/chain.yaml", ", density]", "]")
    done = ready.snakemake("chain")
    assert done.stderr.count("20 points reused, 0 computed") == 4, done.stderr
    assert "occupation" not in read_dataset(ready.folder / "results/chain/data.nc")
    assert ready.jobs() == {}


def test_an_observable_in_a_file_of_its_own_makes_nothing_old(ready):
    (ready.folder / "src/nessflow/observables/number.py").write_text(NUMBER)
    assert ready.jobs() == {}
    assert "number (where a study lists it)" in ready.nessflow("describe", "steady-current").stdout
    ready.edit("config/studies/chain.yaml", "axes:", "observables: [number]\naxes:")
    ready.edit("config/studies/chain.yaml", "y: net_particle_current", "y: number")
    done = ready.snakemake("chain")
    assert done.returncode == 0, done.stderr
    data = read_dataset(ready.folder / "results/chain/data.nc")
    assert list(data.data_vars)[:1] == ["number"]
    assert (data["number"] == 6).all()


def test_a_changed_parameter_recomputes_everything_of_its_study(ready):
    ready.edit("config/studies/chain.yaml", "rate: 0.1", "rate: 0.2")
    assert ready.jobs()["block"] == 4
    done = ready.snakemake("chain")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("0 points reused, 20 computed") == 4


def test_a_changed_formula_of_sites_recomputes_everything_of_its_study(project):
    study = "config/studies/spectrum.yaml"
    project.edit(study, "hopping: $t_S}", "hopping: $t_S, onsite: $(t_S * sin(2 * site))}")
    project.edit(study, "stop: 3, points: 7", "stop: pi, points: 7")
    project.edit(study, "loss: {kind: bond, rate: 0.5}", "loss: {kind: onsite, rate: 0.1 * x}")
    done = project.snakemake("spectrum")
    assert done.returncode == 0, done.stderr
    first = read_dataset(project.folder / "results/spectrum/data.nc")
    assert first["energy"][-1] == np.pi
    project.edit(study, "title: Small", "title: Another small")
    assert "block" not in project.jobs("spectrum")
    # The same number, written in another way.
    project.edit(study, "stop: pi", f"stop: {np.pi!r}")
    assert "block" not in project.jobs("spectrum")
    project.edit(study, "sin(2 * site)", "sin(3 * site)")
    done = project.snakemake("spectrum")
    assert done.returncode == 0, done.stderr
    assert "0 points reused, 2 computed" in done.stderr
    second = read_dataset(project.folder / "results/spectrum/data.nc")
    assert not second["transmission"].equals(first["transmission"])


def test_a_changed_title_gathers_and_draws_only(ready):
    ready.edit("config/studies/chain.yaml", "Small disordered chain", "Another title")
    assert "block" not in ready.jobs()


def test_results_copied_without_the_history_of_snakemake(ready):
    shutil.rmtree(ready.folder / ".snakemake")
    assert ready.jobs() == {}
    ready.edit("config/studies/chain.yaml", "samples: 20", "samples: 30")
    assert ready.jobs()["block"] == 2
    assert ready.snakemake().returncode == 0

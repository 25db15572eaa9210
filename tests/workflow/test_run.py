"""The workflow from study files to data and figures."""

import os
import subprocess
import sys
from dataclasses import replace

import xarray as xr
from PIL import Image

from nessflow.figures.record import read_record
from nessflow.store.store import read_dataset
from nessflow.verbs.explain import explain


def test_every_study_has_data_and_figures(finished):
    for study, figure in (("chain", "current"), ("spectrum", "loss")):
        folder = finished.folder / "results" / study
        for suffix in ("svg", "pdf", "png"):
            assert (folder / "figures" / f"{figure}.{suffix}").stat().st_size > 1000
        assert (folder / "failures.csv").exists()
        with xr.open_dataset(folder / "data.nc") as data:
            for name, variable in data.variables.items():
                for attribute in ("units", "natural_units", "long_name"):
                    assert variable.attrs.get(attribute) or variable.encoding.get(attribute), name


def test_a_second_run_has_nothing_to_do(finished):
    done = finished.snakemake()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_ensemble_statistics(finished):
    data = read_dataset(finished.folder / "results" / "chain" / "data.nc")
    current = data["net_particle_current"]
    assert current.dims == ("mu", "V", "sample")
    assert (data["n_samples"] == 20).all()
    mean = current.mean("sample")
    assert abs(data["net_particle_current_mean"] - mean).max() < 1e-15


def test_data_do_not_depend_on_cores_or_block_size(finished, project):
    project.edit("config/studies/chain.yaml", "per_block: 10", "per_block: 4")
    done = project.snakemake("results/chain/data.nc", cores=1)
    assert done.returncode == 0, done.stderr
    assert project.data("chain") == finished.data("chain")


def test_figures_have_the_same_bytes_when_drawn_again(ready):
    folder = ready.folder / "results" / "chain" / "figures"
    before = {path.name: path.read_bytes() for path in folder.glob("[!.]*")}
    done = ready.snakemake("chain", "--forcerun", "draw")
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in folder.glob("[!.]*")} == before


def test_named_targets(project):
    assert set(project.jobs("spectrum")) == {
        "block",
        "gather_spectrum",
        "draw",
        "list_figures_spectrum",
        "spectrum",
        "total",
    }
    assert {"gather_chain", "gather_spectrum"} <= set(project.jobs("data"))
    assert "draw" in project.jobs("figures")


def test_a_project_and_its_environment_in_folders_with_spaces(project, tmp_path):
    folder = tmp_path / "my work, 5é 'new'" / "project"
    folder.parent.mkdir()
    project.folder.rename(folder)
    (folder / ".venv").symlink_to(sys.prefix)
    command = [folder / ".venv/bin/python", "-m", "snakemake", "--cores", "1", "spectrum"]
    moved = replace(project, folder=folder)
    done = subprocess.run(
        command, cwd=folder, env=moved.environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "results/spectrum/figures/loss.pdf").exists()


def test_smoke_tier_has_results_of_its_own(project):
    project.study("chain").write_text(
        project.study("chain").read_text() + "tiers: {smoke: {ensemble.samples: 2}}\n"
    )
    done = project.snakemake("chain", "--config", "tier=smoke")
    assert done.returncode == 0, done.stderr
    assert (project.folder / "results" / "smoke" / "chain" / "data.nc").exists()
    assert not (project.folder / "results" / "chain").exists()


def test_load_and_verify(finished, monkeypatch):
    import nessflow

    monkeypatch.chdir(finished.folder)
    point = nessflow.load("chain").sel(mu=0.3, V=0.5)
    assert point["net_particle_current"].shape == (20,)
    done = finished.nessflow("verify")
    assert done.returncode == 0, done.stderr


def test_plan_lists_what_is_new_and_what_is_reused(ready):
    ready.edit("config/studies/chain.yaml", "samples: 20", "samples: 30")
    done = ready.nessflow("plan", "chain")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("chain"))
    assert "120" in line.split()
    assert "80" in line.split()
    assert "40" in line.split()


OUTPUTS = (".nc", ".svg", ".pdf", ".png")


def test_every_output_says_where_it_comes_from(finished):
    """From any one file: data hashes, parameters, code, command; the reader is not the writer's."""
    outputs = [p for p in (finished.folder / "results").rglob("*") if p.suffix in OUTPUTS]
    assert {path.suffix for path in outputs} == set(OUTPUTS)
    for path in outputs:
        text = explain(path)
        study = path.relative_to(finished.folder / "results").parts[0]
        data = read_dataset(finished.folder / "results" / study / "data.nc")
        commands = [line for line in text.splitlines() if line.startswith("  command:")]
        assert set(commands) == {f"  command: snakemake --cores all {study} --config tier=paper"}
        assert data.attrs["source_digest"] in text, path
        assert "system.leads.left.broadening = 1.1" in text, path
        if "blocks" not in path.parts:
            assert data.attrs["content_sha256"] in text, path
        for word in (str(finished.folder), os.uname().nodename):
            assert word not in text, path


def test_every_figure_has_its_record_beside_it(finished):
    pictures = list((finished.folder / "results").glob("*/figures/*.png"))
    assert pictures
    for path in pictures:
        beside = read_record(path.with_suffix(".json"))
        assert sorted(beside["files"]) == [f"{path.stem}.{x}" for x in ("pdf", "png", "svg")]
        del beside["files"], beside["sha256"]
        for suffix in (".svg", ".pdf", ".png"):
            assert read_record(path.with_suffix(suffix)) == beside


def test_the_command_in_a_figure_draws_it_again(ready):
    picture = ready.folder / "results/chain/figures/current.png"
    before = picture.read_bytes()
    command = read_record(picture)["command"].split()
    picture.unlink()
    done = ready.run(*command)
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes() == before


def test_explain_names_a_file_without_a_record(finished, tmp_path):
    picture = finished.folder / "results/chain/figures/current.png"
    assert "content SHA-256: " in finished.nessflow("explain", str(picture)).stdout
    foreign = tmp_path / "foreign.png"
    Image.open(picture).save(foreign)
    xr.Dataset({"x": 1.0}).to_netcdf(tmp_path / "foreign.nc")
    for path in (foreign, tmp_path / "foreign.nc", tmp_path / "missing.pdf", tmp_path):
        done = finished.nessflow("explain", str(path))
        assert done.returncode == 2, path
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert str(path) in done.stderr

"""One plain run sets right whatever befell the results, and loses nothing that is good."""

import errno
import json
import re
import shutil

import pytest

from conftest import SPECTRUM
from nessflow.store.manifest import read_manifest, state_of, write_manifest
from nessflow.store.store import read_dataset, write_dataset
from nessflow.verbs.verify import beyond_repair, repair, study_faults
from nessflow.verbs.workflow import read_project

LEFT_OVER = (".*.tmp*", "*.damaged", "*.stale", "*.partial.nc")


def leftovers(project):
    results = project.folder / "results"
    return [path for pattern in LEFT_OVER for path in results.rglob(pattern)]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_one_run_makes_anew_what_is_damaged_and_removes_what_was_left(ready, finished):
    """Killed writers leave files; damage is set aside under another name, until it is made anew."""
    figures = ready.folder / "results/spectrum/figures"
    (figures / ".captions.0123456789ab.tmp.txt").write_text("half")
    (figures / ".loss.0123456789ab.tmp.png").write_text("half")
    for path in (figures.parent / "blocks/points.nc", figures.parent / "data.nc"):
        flip(path)
    flip(figures / "loss.svg")
    (figures / "loss.pdf").unlink()
    done = ready.snakemake("spectrum")
    assert done.returncode == 0, done.stderr
    for name in ("blocks/points.nc", "data.nc", "figures/loss.svg"):
        assert f"results/spectrum/{name}: " in done.stderr
    assert leftovers(ready) == []
    for path in (finished.folder / "results/spectrum").rglob("*"):
        if path.is_file() and "benchmarks" not in path.parts and "logs" not in path.parts:
            again = ready.folder / path.relative_to(finished.folder)
            assert again.read_bytes() == path.read_bytes(), path
    assert "Nothing to be done" in ready.snakemake("spectrum").stderr


def renamed(project, name):
    project.study("spectrum").rename(project.study(name))
    (project.folder / "results/spectrum").rename(project.folder / "results" / name)


def test_verify_repairs_what_it_finds_and_says_what_the_next_run_makes(ready, finished):
    spectrum = ready.folder / "results/spectrum"
    names = ("blocks/points.nc", "data.nc", "figures/loss.svg")
    for name in names:
        flip(spectrum / name)
    assert ready.nessflow("verify").returncode == 1
    done = ready.nessflow("verify", "--repair")
    assert done.returncode == 0, done.stderr
    assert all(f"results/spectrum/{name}: " in done.stdout for name in names)
    assert all((spectrum / f"{name}.damaged").exists() for name in names)
    assert "spectrum: 1 of 1 blocks: " in done.stdout
    assert "then data and figures" in done.stdout
    assert "chain: " not in done.stdout.split("spectrum: 3")[1]
    assert ready.snakemake().returncode == 0
    done = ready.nessflow("verify", "--repair")
    assert (done.returncode, done.stdout) == (0, "chain: ok\nspectrum: ok\n")
    for name in names:
        again = finished.folder / "results/spectrum" / name
        assert (spectrum / name).read_bytes() == again.read_bytes()


def test_what_cannot_be_renamed_is_beyond_repair(ready, monkeypatch):
    """As in a folder that nobody may write to."""
    data = ready.folder / "results/spectrum/data.nc"
    flip(data)
    project = read_project(ready.folder, studies=["spectrum"])
    problems = study_faults(project, project.studies["spectrum"])
    assert beyond_repair(problems) == problems
    monkeypatch.setattr("nessflow.store.files.os.replace", refused)
    assert any("cannot rename" in line for line in repair(project, problems))
    assert beyond_repair(problems) == problems
    monkeypatch.undo()
    assert any("renamed to data.nc.damaged" in line for line in repair(project, problems))
    assert beyond_repair(problems) == []


def refused(*paths):
    raise PermissionError(errno.EACCES, "Permission denied")


IMPOSSIBLE = {
    "net_particle_noise = -1 ": lambda data: data["net_particle_noise"].values.fill(-1.0),
    "has a negative error": lambda data: data["net_particle_current_error"].values.fill(-1.0),
    "entropy_production is in m": lambda data: data["entropy_production"].attrs.update(
        natural_units="m"
    ),
}


@pytest.mark.parametrize("fault", IMPOSSIBLE)
def test_numbers_that_cannot_be_are_found_under_whole_seals(ready, fault):
    chain = ready.folder / "results/chain"
    files = [*sorted((chain / "blocks").rglob("*.nc")), chain / "data.nc"]
    for path in files:
        data = read_dataset(path)
        IMPOSSIBLE[fault](data)
        write_dataset(data, path)
    sums = read_manifest(chain)
    study = read_project(ready.folder, tier="paper", studies=["chain"]).studies["chain"]
    write_manifest(chain, state_of(study), sums)
    done = ready.nessflow_here("verify", "chain")
    assert done.returncode == 1
    assert done.stderr.count(": as it was written, and cannot be: ") == len(files)
    assert done.stderr.count(fault) == len(files)
    assert ready.nessflow("verify", "chain", "--repair").returncode == 0
    assert ready.snakemake("chain").returncode == 0
    assert ready.nessflow_here("verify", "chain").returncode == 0


# Whether Snakemake's records are there, what is done, points that are kept and computed.
CHANGES = {
    "renamed and changed": (True, lambda p: renamed(p, "other"), "rate: 0.5", "rate: 0.7", 0, 2),
    "changed": (False, lambda p: None, "rate: 0.5", "rate: 0.7", 0, 2),
    "a value more": (False, lambda p: None, "[0.5, 1.0]", "[0.5, 0.75, 1.0]", 2, 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_study_takes_one_run(ready, name):
    has_records, change, old, new, reused, computed = CHANGES[name]
    change(ready)
    study = "other" if ready.study("other").exists() else "spectrum"
    ready.edit(f"config/studies/{study}.yaml", old, new)
    if not has_records:
        shutil.rmtree(ready.folder / ".snakemake")
    done = ready.snakemake(study)
    assert done.returncode == 0, done.stderr
    assert f"{reused} points reused, {computed} computed" in done.stderr
    assert leftovers(ready) == []
    data = read_dataset(ready.folder / "results" / study / "data.nc")
    assert data.attrs["study"] == study
    assert data.sizes["t_S"] == reused + computed


def test_a_changed_figure_is_drawn_again_without_the_history_of_snakemake(ready):
    shutil.rmtree(ready.folder / ".snakemake")
    ready.edit("config/studies/spectrum.yaml", "z: loss", "caption: new, z: loss")
    done = ready.snakemake()
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines().count("spectrum: figure loss") == 1
    assert "chain: figure" not in done.stderr
    assert "new" in (ready.folder / "results/spectrum/figures/loss.json").read_text()


def test_figures_of_other_data_are_not_listed_and_drawn_again_whatever_their_times(ready):
    """Copied without Snakemake's records, with new times, they would count as drawn from these."""
    results = ready.folder / "results/spectrum"
    ready.edit("config/studies/spectrum.yaml", "[0.5, 1.0]", "[0.5, 0.75, 1.0]")
    assert ready.snakemake("results/spectrum/data.nc").returncode == 0
    shutil.rmtree(ready.folder / ".snakemake")
    for path in (results / "figures").iterdir():
        if path.is_file():
            path.touch()
    done = ready.nessflow("captions", "spectrum")
    assert done.returncode == 2
    assert "figures/loss.json: drawn from other data" in done.stderr
    done = ready.snakemake("spectrum")
    assert done.returncode == 0, done.stderr
    record = json.loads((results / "figures/loss.json").read_text())
    assert record["data"][0]["axes"] == {"t_S": ["0.5", "0.75", "1"]}
    assert ready.nessflow("verify", "spectrum").returncode == 0


def test_data_that_cannot_be_gathered_anew_are_kept(ready):
    """Snakemake would remove the outputs of a job before it starts, and when it fails."""
    gather = "src/nessflow/run/gather.py"
    fault = '    raise StoreError(folder, "no space left", "free some")\n'
    ready.edit(
        gather, "    write_text(folder / FAILURES", f"{fault}    write_text(folder / FAILURES"
    )
    ready.edit("config/studies/spectrum.yaml", "Small spectrum", "Another title")
    before = {
        p: p.read_bytes() for p in (ready.folder / "results/spectrum").rglob("*.[ncs][cosv]*")
    }
    done = ready.snakemake("spectrum")
    assert done.returncode != 0
    assert "no space left" in done.stderr
    assert len(before) > 3
    assert {path: path.read_bytes() for path in before} == before
    ready.edit(gather, fault, "")
    done = ready.snakemake("spectrum")
    assert done.returncode == 0, done.stderr
    data = read_dataset(ready.folder / "results/spectrum/data.nc")
    assert data.attrs["title"] == "Another title"


def test_a_bad_figure_costs_itself_alone(ready):
    """Those of an earlier run stay, those beside it are drawn, and it is named."""
    line = "  - {name: NAME, plot: lines, x: energy, y: loss_transmission, sel: {t_S: 1}}\n"
    figures = ready.folder / "results/spectrum/figures"
    before = (figures / "loss.png").read_bytes()
    ready.study("spectrum").write_text(
        SPECTRUM + line.replace("NAME", "bad") + line.replace("NAME", "good")
    )
    drawing = "src/nessflow/verbs/draw.py"
    fault = '            if spec.name == "bad":\n                raise ValueError("no picture")\n'
    ready.edit(
        drawing, "            record = figure_record", f"{fault}            record = figure_record"
    )
    done = ready.snakemake("spectrum")
    assert done.returncode != 0
    assert "figure bad of spectrum: no picture" in done.stderr
    assert (figures / "loss.png").read_bytes() == before
    for suffix in ("svg", "pdf", "png", "json"):
        assert (figures / f"good.{suffix}").exists()
        assert not (figures / f"bad.{suffix}").exists()
    # The command alone, without a workflow, does the same.
    (figures / "good.png").unlink()
    done = ready.nessflow("figure", "spectrum")
    assert done.returncode == 2
    assert (figures / "good.png").exists()
    ready.edit(drawing, fault, "")
    done = ready.snakemake("spectrum")
    assert done.returncode == 0, done.stderr
    assert ready.nessflow("verify", "spectrum").returncode == 0


def test_a_run_of_a_changed_study_that_ended_early_goes_on(ready):
    """Its blocks are not those that the manifest of the data lists, and are no damage."""
    ready.edit("config/studies/chain.yaml", "inner: [0.5, 1.0]", "inner: [0.5, 0.75, 1.0]")
    blocks = sorted((ready.folder / "results/chain/blocks").rglob("*.nc"))
    done = ready.snakemake(*(path.relative_to(ready.folder).as_posix() for path in blocks[:3]))
    assert done.returncode == 0, done.stderr
    before = [path.read_bytes() for path in blocks[:3]]
    done = ready.snakemake("chain")
    assert done.returncode == 0, done.stderr
    # The last block alone, and of it the new value alone.
    assert re.findall(r"(\d+) points reused, (\d+) computed", done.stderr) == [("20", "10")]
    assert [path.read_bytes() for path in blocks[:3]] == before
    assert leftovers(ready) == []

"""`nessflow plan` says what runs again and why, in words."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from nessflow.cli import commands
from nessflow.errors import ConfigError
from nessflow.figures.units import FigureError
from nessflow.run.gather import gather_study
from nessflow.run.plan import plan_study
from nessflow.run.reasons import changed
from nessflow.run.retry import release_failures
from nessflow.run.solve import solve_block, stale_path
from nessflow.store.manifest import MODULES, read_manifest, state_of, write_manifest
from nessflow.store.store import read_dataset, write_dataset
from nessflow.verbs.draw import draw_study
from nessflow.verbs.plan import rerun_lines
from nessflow.verbs.workflow import read_project

CHAIN = """\
title: A lossy chain
study: steady-current
system:
  lattice: {kind: chain, sites: 3}
  loss: {kind: onsite, rate: 0.1}
  leads:
    left:  {kind: wide-band, broadening: 1, chemical_potential: $mu, temperature: $T}
    right: {kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1}
axes:
  mu: {outer: [0.1, 0.3]}
  T: {inner: [0.5, 1.0]}
figures:
  - {name: current, plot: lines, x: T, y: net_particle_current, hue: mu}
"""


def project(folder: Path) -> Path:
    (folder / "config" / "studies").mkdir(parents=True)
    (folder / "config" / "config.yaml").write_text("tier: paper\n")
    (folder / "config" / "studies" / "chain.yaml").write_text(CHAIN)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project whose study has run, by the functions that the workflow calls."""
    root = project(tmp_path_factory.mktemp("reasons") / "project")
    found = read_project(root)
    study = found.studies["chain"]
    for block in study.blocks:
        solve_block(block, found.results / "chain")
    gather_study(study, found.results / "chain")
    draw_study(study, found.studies, found.results, print)
    return root


@pytest.fixture
def ready(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "ready")
    return tmp_path / "ready"


def reasons(root, digest=None):
    found = read_project(root)
    study = found.studies["chain"]
    if digest:
        vars(study)["digest"] = digest
    return rerun_lines(found, study, plan_study(study, found.results / "chain"))


def test_nothing_to_run_has_no_reason(ready):
    assert reasons(ready) == []


def test_a_study_that_never_ran(tmp_path, monkeypatch):
    expected = ["chain: 2 of 2 blocks: not computed yet; then data and figures"]
    assert reasons(project(tmp_path / "new")) == expected
    monkeypatch.chdir(tmp_path / "new")
    printed = CliRunner().invoke(commands, ["plan", "chain"]).output
    assert printed.splitlines()[-1] == expected[0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "rate: 0.1",
            "rate: 0.2",
            "2 of 2 blocks: parameter changed: system.loss.rate 0.1 -> 0.2; then data and figures",
        ),
        (
            "sites: 3",
            "sites: 3, hopping: 2",
            "2 of 2 blocks: parameter changed: system.lattice.hopping null -> 2; then",
        ),
        (
            "[0.5, 1.0]",
            "[0.5, 0.75, 1.0]",
            "2 of 2 blocks: new values of T: 0.75; then data and fi",
        ),
        ("[0.5, 1.0]", "[1.0]", "2 of 2 blocks: values of T taken away or in another order; then"),
        ("[0.1, 0.3]", "[0.1, 0.3, 0.2]", "1 of 3 blocks: new: other blocks are there; then data"),
        ("A lossy", "Another", "data: title, notes or names of axes changed; then figures"),
        ("hue: mu", "hue: mu, ylabel: I", "figures: specification of current changed"),
        ("{name: current", "{name: other", "figures: figure other is new"),
    ],
)
def test_a_changed_study(ready, old, new, expected):
    file = ready / "config" / "studies" / "chain.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    (line,) = reasons(ready)
    assert line.startswith(f"chain: {expected}")


def test_changed_code(ready):
    (line,) = reasons(ready, digest="0123456789abcdef")
    assert line == "chain: 2 of 2 blocks: code changed; then data and figures"


def test_damaged_missing_and_retried_blocks(ready):
    results = ready / "results" / "chain"
    first, second = sorted((results / "blocks").rglob("*.nc"))
    block = read_dataset(first)
    block["status"].values[0] = 2
    write_dataset(block, first)
    assert release_failures(results) == 1
    (line,) = reasons(ready)
    assert line == (
        "chain: 1 of 2 blocks: interrupted, or failed points to retry; the other points are kept; "
        "then data and figures"
    )
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    for file in first.parent.glob("*.partial.nc"):
        file.unlink()
    missing, damaged = reasons(ready)
    assert missing == "chain: 1 of 2 blocks: new: other blocks are there"
    assert damaged.startswith("chain: 1 of 2 blocks: damaged: ")
    assert damaged.endswith("; then data and figures")


def test_blocks_that_stand_aside(ready):
    """Beside its file lie the points of the study as it was: of these the reason is told."""
    for path in (ready / "results" / "chain" / "blocks").rglob("*.nc"):
        path.rename(stale_path(path, read_dataset(path).attrs))
    (line,) = reasons(ready)
    assert "2 of 2 blocks: set aside by a change that was taken back; its points are kept" in line
    file = ready / "config" / "studies" / "chain.yaml"
    file.write_text(file.read_text().replace("rate: 0.1", "rate: 0.2"))
    (line,) = reasons(ready)
    assert "2 of 2 blocks: parameter changed: system.loss.rate 0.1 -> 0.2; then" in line


def test_gathered_data_need_no_blocks(ready):
    """An archive may leave them out: then a run computes nothing."""
    shutil.rmtree(ready / "results" / "chain" / "blocks")
    assert reasons(ready) == []
    file = ready / "config" / "studies" / "chain.yaml"
    file.write_text(file.read_text().replace("[0.1, 0.3]", "[0.1, 0.3, 0.2]"))
    assert reasons(ready) == ["chain: 3 of 3 blocks: not computed yet; then data and figures"]


@pytest.mark.parametrize(
    ("then", "now", "text"),
    [
        ({"rates": [1, 2]}, {"rates": [1, 3]}, "rates.1 2 -> 3"),
        ({"leads": [{"mu": 1}]}, {"leads": [{"mu": 2}]}, "leads.0.mu 1 -> 2"),
        ({"rates": [1, 2]}, {"rates": [1]}, "rates of 2 -> 1 entries"),
        ({"f": "x" * 99 + "1"}, {"f": "x" * 99 + "2"}, "f (a long value)"),
    ],
)
def test_a_change_says_which_value(then, now, text):
    old, new = ({"parameters": json.dumps(p), "source_digest": ""} for p in (then, now))
    assert changed(old, new) == f"parameter changed: {text}"


def test_missing_data_and_figures(ready):
    results = ready / "results" / "chain"
    picture = next((results / "figures").glob("*.svg"))
    picture.write_text("<svg/>")
    (line,) = reasons(ready)
    assert line.startswith(f"chain: figures: {picture.name}: changed since")
    (results / "data.nc").unlink()
    (line,) = reasons(ready)
    assert line == "chain: data: not gathered yet; then figures"


def test_a_figure_without_room_fails_and_takes_no_other(ready, capsys):
    file = ready / "config" / "studies" / "chain.yaml"
    long = "a very long label that leaves no room at all " * 30
    bad = (
        f"  - {{name: bad, plot: lines, x: T, y: net_particle_current, hue: mu, ylabel: {long}}}\n"
    )
    good = "  - {name: last, plot: lines, x: T, y: net_particle_current, hue: mu}\n"
    file.write_text(file.read_text() + bad + good)
    found = read_project(ready)
    study = found.studies["chain"]
    gather_study(study, found.results / "chain")
    with pytest.raises(FigureError, match=r"figure bad of chain: constrained_layout not applied"):
        draw_study(study, found.studies, found.results, print)
    figures = found.results / "chain" / "figures"
    assert (figures / "current.svg").exists()
    assert (figures / "last.svg").exists()
    assert not (figures / "bad.svg").exists()


def explained(root, monkeypatch, *arguments):
    monkeypatch.chdir(root)
    done = CliRunner().invoke(commands, ["explain", *arguments])
    return done.output.splitlines(), done.exception


def test_a_current_study_is_explained(ready, monkeypatch):
    lines, _ = explained(ready, monkeypatch, "chain")
    assert lines[0] == "chain: current, nothing of it would be made again"
    assert "  points: 4, 4 of them there, 0 failed" in lines
    assert not [line for line in lines if "module" in line]


def test_modules_of_the_source_that_changed_are_named(ready, monkeypatch):
    """As a manifest has them that was written with another noise, and without the entropy."""
    folder, study = ready / "results" / "chain", read_project(ready).studies["chain"]
    then = dict(study.modules)
    assert {"nessflow.kinds.steady_current", "nessflow.scattering.noise"} <= then.keys()
    then["nessflow.scattering.noise"] = "0123456789abcdef"
    then["nessflow.scattering.old"] = then.pop("nessflow.scattering.entropy")
    write_manifest(folder, {**state_of(study), MODULES: then}, read_manifest(folder))
    for path in [*(folder / "blocks").rglob("*.nc"), folder / "data.nc"]:
        data = read_dataset(path)
        for each in (data, *data.data_vars.values()):
            if "source_digest" in each.attrs:
                each.attrs["source_digest"] = "0123456789abcdef"
        write_dataset(data, path)
    lines, _ = explained(ready, monkeypatch, "chain")
    assert lines[0] == "chain: 2 of 2 blocks: code changed; then data and figures"
    assert [line for line in lines if line.startswith("  module")] == [
        "  module nessflow.scattering.entropy is new",
        "  module nessflow.scattering.noise changed",
        "  module nessflow.scattering.old is gone",
    ]


def test_a_point_is_explained(ready, monkeypatch):
    lines, _ = explained(ready, monkeypatch, "chain", "mu=0.30", "T=1")
    assert lines[0] == "chain: mu=0.3, T=1: ok"
    assert lines[1].endswith("blocks/mu~0.3/points.nc: current")
    assert "  system.leads.left.chemical_potential = 0.3" in lines
    assert "  system.leads.left.temperature = 1.0" in lines


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (["mu=0.3"], "a value of T too"),
        (["mu=0.2", "T=1"], "mu has 0.1, 0.3"),
        (["nu=0.3", "T=1"], "AXIS=VALUE with one of mu, T"),
        (["mu", "T=1"], "a value of the axis"),
    ],
)
def test_a_point_that_is_not_there(ready, monkeypatch, point, expected):
    _, error = explained(ready, monkeypatch, "chain", *point)
    assert isinstance(error, ConfigError)
    assert expected in str(error)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (["chian"], "did you mean 'chain'?"),
        (["missing.png"], "missing.png: No such file"),
        (["results/chain/data.nc", "mu=0.3"], "is a file: points are those of a study"),
    ],
)
def test_what_cannot_be_explained(ready, monkeypatch, what, expected):
    monkeypatch.chdir(ready)
    done = CliRunner().invoke(commands, ["explain", *what])
    assert done.exit_code != 0
    assert expected in f"{done.output} {done.exception}"

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import fake_study as fake
from fake_study import AXES, numbers, outcome_of, study_of
from nessflow.config.grid import Ensemble
from nessflow.run import provenance
from nessflow.run.gather import _pending, gather_study, joined, joined_beside, set_blocks_aside
from nessflow.run.solve import coordinates_of, partial_path
from nessflow.store.files import StoreError
from nessflow.store.manifest import settle, state_of
from nessflow.store.store import read_dataset, write_dataset
from nessflow.studies.kind import Coordinate, Outcome, Status, Variable
from nessflow.verbs.load import load_study

FILES = ("data.nc", "failures.csv")


def block_paths(study, folder):
    return [block.file(folder) for block in study.blocks]


def run(study, folder, kind=None, **options):
    fake.solve(study, folder, kind, progress=lambda line: None)
    return fake.gather(study, folder, progress=lambda line: None, **options)


def test_the_data_are_the_points_in_the_order_of_the_study(tmp_path):
    run(study_of(), tmp_path / "fake")
    data = load_study("fake", tmp_path)
    assert data["current"].dims == ("V", "mu", "monitored", "sample", "terminal")
    assert data["status"].dims == ("V", "mu", "monitored", "sample")
    assert data["monitored"].values.tolist() == ["first", "third"]
    assert (data["status"] == 0).all()
    for name, label in (("first", 1), ("third", 3)):
        mean = data["net_current_mean"].sel(monitored=name, V=0.5, mu=1.5).item()
        assert mean == pytest.approx(0.25 * label, rel=0.3)
    np.testing.assert_array_equal(data["current"].sum("terminal"), 0)
    assert data["affinity"].attrs["undefined"] == "infinite for pure loss"
    assert "undefined_reasons" not in data
    for variable in data.variables.values():
        assert variable.attrs["units"] == "1"
        assert variable.attrs["natural_units"]
        assert variable.attrs["long_name"]


def test_data_are_the_same_bytes_for_every_block_size_and_order(tmp_path):
    contents = []
    for size in (1, 4, 7, 20):
        folder = tmp_path / str(size)
        study = study_of(ensemble=Ensemble(7, size, 1))
        blocks = study.blocks
        fake.solve(study, folder, blocks=blocks[::-1] if size == 4 else blocks)
        fake.gather(study, folder)
        contents.append([(folder / name).read_bytes() for name in FILES])
    assert all(content == contents[0] for content in contents)


def test_outer_or_inner_axes_give_the_same_numbers(tmp_path):
    flipped = [replace(axis, outer=not axis.outer) if axis.cases is None else axis for axis in AXES]
    first = run(study_of(), tmp_path / "a")
    second = run(study_of(axes=flipped), tmp_path / "b")
    assert second.drop_attrs().identical(first.drop_attrs())


def test_results_of_a_renamed_study_are_those_computed_under_its_name(tmp_path):
    run(study_of(), tmp_path / "fake")
    (tmp_path / "fake").rename(tmp_path / "renamed")
    fake.gather(study_of(name="renamed"), tmp_path / "renamed")
    run(study_of(name="renamed"), tmp_path / "fresh")
    moved, fresh = ((tmp_path / name / "data.nc").read_bytes() for name in ("renamed", "fresh"))
    assert moved == fresh


def test_outer_cases_have_scalar_names_in_their_blocks(tmp_path):
    axes = (AXES[0], replace(AXES[2], outer=True))
    data = run(study_of(axes=axes, ensemble=None), tmp_path)
    expected = np.outer([0.01, 0.04, 0.25], [1, 3])
    np.testing.assert_allclose(data["net_current"].values, expected, rtol=1e-15)


def test_provenance_says_where_data_come_from_and_nothing_of_host_or_time(tmp_path):
    attributes = run(study_of(), tmp_path).attrs
    assert attributes["study"] == "fake"
    assert attributes["references"] == "paper: none, figure: 1"
    assert attributes["source_digest"] == fake.DIGEST
    assert json.loads(attributes["parameters"])["seed"] == attributes["seed"] == 1
    assert set(json.loads(attributes["versions"])) >= {"python", "numpy", "xarray"}
    (origin,) = json.loads(attributes["origins"])
    assert origin["versions"] == json.loads(attributes["versions"])
    text = json.dumps({key: str(value) for key, value in attributes.items()})
    assert str(tmp_path) not in text
    for name in ("host", "user", "date", "time_", "history"):
        assert not any(name in key for key in attributes)


def test_blocks_of_several_commits_and_libraries_are_listed(tmp_path, monkeypatch):
    study = study_of()
    fake.solve(study, tmp_path, blocks=study.blocks[:1])
    monkeypatch.setattr(provenance, "git_state", lambda root: ("a" * 40, 0))
    monkeypatch.setattr(provenance, "versions", lambda: '{"numpy":"9.9"}')
    fake.solve(study, tmp_path)
    lines = []
    attributes = fake.gather(study, tmp_path, progress=lines.append).attrs
    old, new = sorted(json.loads(attributes["origins"]), key=lambda o: len(o["versions"]))[::-1]
    assert new["git_commit"] == "a" * 40
    assert new["versions"] == {"numpy": "9.9"}
    assert old["git_commit"] != new["git_commit"]
    assert "different libraries" in lines[0]


def test_failed_points_are_listed_and_enter_no_mean(tmp_path):
    def evaluate(parameters, rng):
        if parameters.V == 0.2 and parameters.mu == 1.5:
            raise ValueError('bad, "quoted"')
        if parameters.V == 0.5:
            return outcome_of(parameters, rng, status=Status.SUSPECT, message="noise < 0")
        return outcome_of(parameters, rng)

    study = study_of(ensemble=Ensemble(3, 2, 1))
    data = run(study, tmp_path, fake.kind_of(evaluate))
    rows = list(csv.DictReader((tmp_path / "failures.csv").open()))
    assert len(rows) == 2 * 3 + 4 * 3
    assert rows[0] == {
        "V": "0.2",
        "mu": "1.5",
        "monitored": "first",
        "sample": "0",
        "status": "exception",
        "message": 'ValueError: bad, "quoted"',
    }
    assert rows[-1]["status"] == "suspect"
    assert (data["n_samples"].sel(V=0.5) == 0).all()
    assert data["net_current_mean"].sel(V=0.5).isnull().all()
    assert data["net_current"].sel(V=0.5).notnull().all()
    assert (data["n_samples"].sel(V=0.1) == 3).all()


def test_without_failures_the_table_is_its_header(tmp_path):
    run(study_of(), tmp_path)
    assert (tmp_path / "failures.csv").read_text() == "V,mu,monitored,sample,status,message\n"


def test_all_unusable_blocks_are_named_set_aside_and_computed_anew(tmp_path):
    study = study_of(ensemble=Ensemble(6, 2, 1))
    run(study, tmp_path)
    before = [(tmp_path / name).read_bytes() for name in FILES]
    missing, cut, swapped, source, parameters, sound = block_paths(study, tmp_path)
    swapped.write_bytes(sound.read_bytes())
    cut.write_bytes(cut.read_bytes()[:-100])
    missing.unlink()
    for path, key in ((source, "source_digest"), (parameters, "parameters")):
        block = read_dataset(path)
        for each in (block, *(x for x in block.data_vars.values() if key in x.attrs)):
            each.attrs[key] = "old"
        write_dataset(block, path)
    with pytest.raises(StoreError) as raised:
        fake.gather(study, tmp_path)
    message = str(raised.value)
    assert "5 of 6 blocks cannot be used" in message
    assert "run again" in message
    for path, cause, suffix in (
        (missing, "no such file", None),
        (cut, "cut short", ".damaged"),
        (swapped, "holds another block", ".stale"),
        (source, "another version of the source", ".stale"),
        (parameters, "other parameters", ".stale"),
    ):
        (line,) = [line for line in message.splitlines() if str(path) in line]
        assert cause in line
        assert not path.exists()
        assert suffix is None or any(path.parent.glob(f"{path.name}*{suffix}"))
    assert sound.exists()
    calls = []
    fake.solve(study, tmp_path, fake.kind_of(calls=calls))
    assert len(calls) == 5 * 12
    fake.gather(study, tmp_path)
    assert [(tmp_path / name).read_bytes() for name in FILES] == before


def test_a_block_that_lacks_points_becomes_a_partial_file(tmp_path):
    short = study_of(axes=(numbers("V", [0.1, 0.5]), *AXES[1:]))
    fake.solve(short, tmp_path)
    with pytest.raises(StoreError, match="8 points are missing"):
        fake.gather(study_of(), tmp_path)
    assert not any(path.exists() for path in block_paths(short, tmp_path))
    calls = []
    fake.solve(study_of(), tmp_path, fake.kind_of(calls=calls))
    assert {parameters.V for parameters in calls} == {0.2}
    assert len(calls) == 24
    fake.gather(study_of(), tmp_path)


def test_points_of_a_change_that_was_taken_back_are_kept(tmp_path):
    """Blocks of another source are set aside before a run, and not lost by it."""
    study = study_of(ensemble=Ensemble(6, 2, 1))
    run(study, tmp_path)
    before = [(tmp_path / name).read_bytes() for name in FILES]
    faults = set_blocks_aside(replace(study, digest="0" * 16), tmp_path)
    assert len(faults) == 6
    assert all("another version of the source" in fault.cause for fault in faults)
    assert not any(path.exists() for path in block_paths(study, tmp_path))
    calls = []
    run(study, tmp_path, fake.kind_of(calls=calls))
    assert calls == []
    assert [(tmp_path / name).read_bytes() for name in FILES] == before
    assert not list(tmp_path.rglob("*.stale"))
    assert set_blocks_aside(study, tmp_path) == []


def settled(study, folder, digest):
    """Do what a run does before it looks at the files; return the names of what it set aside."""
    study = replace(study, digest=digest)
    settle(folder, state_of(study))
    set_blocks_aside(study, folder)
    return sorted(path.name for path in folder.rglob("*") if path.suffix in (".stale", ".damaged"))


def test_blocks_of_a_change_that_was_never_gathered_are_no_damage(tmp_path):
    """The manifest lists the blocks of the data, and a run that ended early made others."""
    study, changed = study_of(), "1" * 16
    run(study, tmp_path)
    blocks = study.blocks
    assert len(settled(study, tmp_path, changed)) == len(blocks)
    fake.solve(study, tmp_path, blocks=blocks[:1], digest=changed)
    before = settled(study, tmp_path, changed)
    assert not any(name.endswith(".damaged") for name in before)
    calls = []
    fake.solve(study, tmp_path, fake.kind_of(calls=calls), blocks=blocks[:1], digest=changed)
    assert calls == []


def test_each_of_several_changes_can_be_taken_back(tmp_path):
    """None of them takes the place of what another set aside."""
    study = study_of()
    run(study, tmp_path)
    before = [(tmp_path / name).read_bytes() for name in FILES]
    blocks = study.blocks
    changes = ("1" * 16, "2" * 16, fake.DIGEST)
    for digest in changes[:2]:
        settled(study, tmp_path, digest)
        fake.solve(study, tmp_path, blocks=blocks[:1], digest=digest)
    for digest in changes:
        settled(study, tmp_path, digest)
        calls = []
        fake.solve(study, tmp_path, fake.kind_of(calls=calls), blocks=blocks[:1], digest=digest)
        assert calls == [], digest
    run(study, tmp_path)
    assert [(tmp_path / name).read_bytes() for name in FILES] == before
    assert not list(tmp_path.rglob("*.stale"))


def test_an_incomplete_block_does_not_replace_the_points_of_an_interrupted_run(tmp_path):
    one, two = (study_of(axes=(numbers("V", v), *AXES[1:])) for v in ([0.2], [0.1, 0.5]))
    fake.solve(one, tmp_path / "a")
    fake.solve(two, tmp_path)
    for path, other in zip(
        block_paths(two, tmp_path), block_paths(one, tmp_path / "a"), strict=True
    ):
        path.rename(partial_path(path))
        other.rename(path)
    faults = set_blocks_aside(study_of(), tmp_path)
    assert len(faults) == len(block_paths(one, tmp_path))
    assert all("points are missing" in fault.cause for fault in faults)
    calls = []
    fake.solve(study_of(), tmp_path, fake.kind_of(calls=calls))
    assert calls == []


def test_points_that_are_no_longer_asked_for_are_left_out(tmp_path):
    fake.solve(study_of(), tmp_path / "a")
    short = study_of(axes=(numbers("V", [0.5, 0.1]), *AXES[1:]))
    fake.gather(short, tmp_path / "a")
    run(short, tmp_path / "b")
    assert (tmp_path / "a/data.nc").read_bytes() == (tmp_path / "b/data.nc").read_bytes()


def test_leftovers_of_killed_writers_are_removed(tmp_path):
    study = study_of()
    fake.solve(study, tmp_path)
    leftover = block_paths(study, tmp_path)[0].with_name(".seeds~00000-00003.abc.tmp.nc")
    leftover.write_text("half")
    fake.gather(study, tmp_path)
    assert not leftover.exists()


def test_blocks_with_unlike_coordinates_are_refused(tmp_path):
    study = study_of(ensemble=None)
    fake.solve(study, tmp_path)
    path = block_paths(study, tmp_path)[1]
    block = read_dataset(path)
    changed = block["terminal"].copy(data=np.array(["left", "up"], object))
    write_dataset(block.assign_coords(terminal=changed), path)
    with pytest.raises(StoreError, match="another coordinate terminal"):
        gather_study(study, tmp_path)


def sites_of(parameters):
    """mu + 2 sites, named by number and by words."""
    number = np.arange(1, int(parameters.mu) + 3)
    words = np.array([*(f"s{i}" for i in number), "end"])
    return {"site": Coordinate(number, "1", "site"), "word": Coordinate(words, "1", "word")}


def profile(parameters, rng):
    number = sites_of(parameters)["site"].values
    return Outcome({"n": 10 * parameters.mu + number, "w": np.append(number, parameters.V)})


CHAINS = fake.kind_of(profile)
CHAINS.coordinates = sites_of
CHAINS.VARIABLES = {
    "n": Variable(("site",), "1", "occupation"),
    "w": Variable(("word",), "1", "weight"),
}


@pytest.mark.parametrize("lengths", [[0, 1, 3], [3, 0, 1]])
@pytest.mark.parametrize("ensemble", [None, Ensemble(3, 2, 5)])
def test_coordinates_may_depend_on_an_outer_axis(tmp_path, lengths, ensemble):
    axes = (numbers("mu", lengths, outer=True), numbers("V", [0.1, 0.5]))
    study = study_of(axes=axes, ensemble=ensemble, kind=CHAINS)
    fake.solve(study, tmp_path)
    data = gather_study(study, tmp_path, progress=print)
    assert read_dataset(tmp_path / "data.nc").equals(data)
    assert (data["status"] == 0).all()
    assert data["site"].values.tolist() == [1, 2, 3, 4, 5]
    assert data["word"].values.tolist() == ["s1", "s2", "s3", "s4", "s5", "end"]
    for mu in lengths:
        one = data.sel(mu=mu, V=0.5)
        one = one if ensemble is None else one.isel(sample=-1)
        inside = one["site"] <= mu + 2
        np.testing.assert_array_equal(one["n"].notnull(), inside)
        np.testing.assert_array_equal(one["n"][inside], 10 * mu + one["site"][inside])
        assert one["w"].sel(word="end") == 0.5
        assert int(one["w"].notnull().sum()) == mu + 3
    assert data["n"].attrs["undefined"] == "the point has no such site"
    assert fake.solve(study, tmp_path)[0].computed == 0
    fake.solve(longer := extended(study), tmp_path)
    assert gather_study(longer, tmp_path, progress=print).sizes["site"] == 7


def extended(study):
    mu = study.axes[0]
    longer = replace(mu, labels=(*mu.labels, "5"))
    return replace(study, axes=(longer, *study.axes[1:]))


def test_joined_coordinates_do_not_depend_on_the_order_of_their_parts():
    def join(*parts):
        return joined([xr.Variable(("x",), np.array(part)) for part in parts]).values.tolist()

    assert join([3.0, 1.0], [2.0, 3.0]) == join([2.0, 3.0], [3.0, 1.0]) == [1, 2, 3]
    assert join([3, 1], [3, 1]) == [3, 1]
    assert join([3, 1], [2, 10**15, 10**15 + 1]) == [1, 2, 3, 10**15, 10**15 + 1]
    close = [0.1 + 0.2, 1.0], [0.0, 0.3]
    assert join(*close) == join(*close[::-1]) == [0.0, 0.3, 1.0]
    with pytest.raises(ValueError, match="agree to 12 digits"):
        join(*close, [0.3, 0.3 + 1e-15])
    short, long = ["left", "right"], ["left", "probe", "right"]
    assert join(short, long) == join(long, short) == long
    assert join(["b"], ["a"]) == join(["a"], ["b"]) == ["a", "b"]


def test_a_point_with_other_coordinates_than_its_block_fails(tmp_path):
    study = study_of(axes=(numbers("mu", [0, 1]),), ensemble=None, template={"V": 1, "mu": "$mu"})
    (counts,) = fake.solve(study, tmp_path, CHAINS)
    assert counts.failed == 1
    block = read_dataset(tmp_path / "blocks/points.nc")
    assert "site has other values than at the first point" in block["message"].values[1]


@pytest.mark.parametrize("axes", [(), AXES[:1], AXES[1:2], AXES[2:]])
@pytest.mark.parametrize("ensemble", [None, Ensemble(3, 2, 5)])
def test_every_shape_of_grid_is_gathered(tmp_path, axes, ensemble):
    template = {"V": 0.5} | {axis.name: f"${axis.name}" for axis in axes if axis.cases is None}
    data = run(study_of(axes=axes, ensemble=ensemble, template=template), tmp_path)
    assert data["status"].shape == tuple(len(a.labels) for a in axes) + ((3,) if ensemble else ())
    assert data["net_current"].notnull().all()


def test_what_stands_beside_a_dimension_is_joined_with_it():
    def part(sites, orbitals):
        return {
            "site": xr.Variable("site", sites),
            "orbital": xr.Variable("site", orbitals, {"long_name": "orbital"}),
        }

    parts = [part([1, 2], [1, 2]), part([1, 2, 3, 4], [1, 2, 1, 2])]
    whole = {"site": joined([x["site"] for x in parts])}
    found = joined_beside("orbital", parts, whole)
    assert found.dims == ("site",)
    assert found.values.tolist() == [1, 2, 1, 2]
    assert found.attrs == {"long_name": "orbital"}
    parts[0] = part([1, 2], [1, 1])
    assert joined_beside("orbital", parts, whole) is None


def test_what_stands_beside_a_dimension_and_differs_is_said_to():
    part = dict(coordinates_of(study_of(AXES), {}))
    places = [xr.Variable(("site",), np.arange(3.0) * step) for step in (1, 2)]
    sites = xr.Variable(("site",), np.arange(3.0))
    parts = [part | {"site": sites, "orbital": sites, "x": x, "y": x} for x in places]
    found = _pending(study_of(AXES), parts)
    assert "orbital" in found.coords
    assert not {"x", "y"} & {*found.coords}
    assert found["site"].attrs["differing"] == "x y"


def test_what_stands_beside_a_dimension_keeps_its_order(tmp_path):
    """Whatever the hashes of names are in this process: data have the same bytes in all."""
    study = study_of(AXES)
    names = ["orbital", "site_number", "x", "y", "z", "a", "b", "c"]
    part = dict(coordinates_of(study, {}))
    sites = xr.Variable(("site",), np.arange(3.0))
    part |= dict.fromkeys(["site", *names], sites)
    found = _pending(study, [part])
    assert [name for name in found.coords if name in names] == names

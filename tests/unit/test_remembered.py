"""What a run remembers of a project is what reading the project says, whatever has happened."""

import os

import pytest

from conftest import CHAIN, SPECTRUM
from nessflow.verbs import workflow
from nessflow.verbs.workflow import open_project


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "config" / "studies"
    folder.mkdir(parents=True)
    (tmp_path / "config" / "config.yaml").write_text("studies: all\n")
    for name, text in {"chain": CHAIN, "spectrum": SPECTRUM}.items():
        (folder / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.fixture
def readings(monkeypatch):
    """Each reading of a project adds to this list."""
    found, read = [], workflow.read_with_sources

    def counted(*arguments, **choices):
        found.append(arguments)
        return read(*arguments, **choices)

    monkeypatch.setattr(workflow, "read_with_sources", counted)
    return found


def memory(root):
    (path,) = (root / ".snakemake" / "nessflow").iterdir()
    return path


def edited(path, old, new):
    """Write other content of the same size, with the times that the file had."""
    then = os.stat(path)
    text = path.read_text()
    assert old in text
    assert len(old) == len(new)
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))


def test_what_is_remembered_is_what_is_read(root, readings):
    read, remembered = (open_project(root, {}) for _ in range(2))
    assert read == remembered
    assert len(readings) == 1
    for name, jobs in remembered.jobs.items():
        study = remembered.study(name)
        assert study == read.study(name)
        assert study.digest == jobs.source


@pytest.mark.parametrize("name", ["spectrum", "chain"])
def test_an_edit_that_times_and_sizes_do_not_show(root, readings, name):
    path = root / "config" / "studies" / f"{name}.yaml"
    first = open_project(root, {})
    edited(path, "broadening: 1.1", "broadening: 1.2")
    second = open_project(root, {})
    assert second.jobs[name].numbers != first.jobs[name].numbers
    edited(path, "broadening: 1.2", "broadening: 1.1")
    assert open_project(root, {}) == first
    # What is read anew is the study that changed.
    assert [asked for _, asked in readings[1:]] == [[name]] * 2


def test_a_touch_is_no_edit(root, readings):
    first = open_project(root, {})
    for path in root.rglob("*.yaml"):
        os.utime(path, ns=(1, 1))
    assert open_project(root, {}) == first
    assert len(readings) == 1


def test_what_is_written_while_it_is_read_is_not_remembered(root, monkeypatch):
    path, read = root / "config" / "studies" / "chain.yaml", workflow.read_with_sources

    def slow(*arguments, **choices):
        edited(path, "rate: 0.1", "rate: 0.2")
        try:
            return read(*arguments, **choices)
        finally:
            edited(path, "rate: 0.2", "rate: 0.1")

    with monkeypatch.context() as patch:
        patch.setattr(workflow, "read_with_sources", slow)
        mixed = open_project(root, {})
    assert not (root / ".snakemake").exists()
    assert open_project(root, {}) != mixed


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b[:-9],
        lambda b: b.replace(b"chain", b"chaos"),
        lambda b: b"",
        # Of a version that had not this key.
        lambda b: b.replace(b'"read"', b'"road"'),
    ],
)
def test_a_damaged_memory_is_none(root, readings, change):
    first = open_project(root, {})
    memory(root).write_bytes(change(memory(root).read_bytes()))
    assert open_project(root, {}) == first
    assert len(readings) == 2


def test_each_question_has_its_own_answer(root, readings):
    asked = [{}, {"studies": "chain"}, {"tier": "smoke"}, {"allow_large": True}]
    first = [open_project(root, config) for config in asked]
    assert [open_project(root, config) for config in asked] == first
    # What is known of a study does not depend on which others are asked for.
    assert len({repr(found) for found in first}) == len(asked) == len(readings) + 1
    # A file that was renamed answers no other question.
    kept = sorted((root / ".snakemake" / "nessflow").iterdir())
    kept[0].replace(kept[1])
    assert [open_project(root, config) for config in asked] == first


def test_files_and_faults_that_come_and_go(root, readings, capsys):
    first = open_project(root, {})
    new = root / "config" / "studies" / "new.yaml"
    new.write_text(SPECTRUM.replace("points: 7", "points: 1"))
    for _ in range(2):
        assert open_project(root, {}).broken == ["new"]
    new.write_text(SPECTRUM)
    assert open_project(root, {}).chosen == ["chain", "new", "spectrum"]
    new.unlink()
    assert open_project(root, {}) == first
    # The new one alone, and in vain all of them, twice; then the new one.
    assert [asked for _, asked in readings[1:]] == [["new"], None] * 2 + [["new"]]
    (root / "results").write_text("in the way")
    with pytest.raises(SystemExit):
        open_project(root, {})
    assert "results is there and is not a folder" in capsys.readouterr().err


def test_parts_of_others_may_follow_from_anything(root, readings):
    (root / "parts").mkdir()
    (root / "parts" / "own.py").write_text("from pathlib import Path")
    for _ in range(2):
        open_project(root, {})
    assert len(readings) == 2


def test_figures_follow_from_the_studies_whose_data_they_show(root, readings):
    reader = root / "config" / "studies" / "reader.yaml"
    layer = "{from: spectrum, y: loss_transmission, label: b, x: energy, sel: {t_S: 1}}"
    figure = f"  - {{name: both, plot: lines, x: energy, ylabel: T, layers: [{layer}]}}\n"
    reader.write_text(SPECTRUM + figure)
    first = open_project(root, {})
    assert first.sources["reader"]["both"] == ["spectrum"]
    alone = open_project(root, {"studies": "reader"})
    assert (alone.chosen, [*alone.jobs]) == (["reader"], ["reader", "spectrum"])
    assert len(readings) == 1
    edited(root / "config" / "studies" / "spectrum.yaml", "rate: 0.5", "rate: 0.6")
    open_project(root, {"studies": "chain"})
    assert len(readings) == 1
    assert sorted(readings[-1:][0][1]) == ["chain", "reader", "spectrum"]
    open_project(root, {})
    assert sorted(readings[-1][1]) == ["reader", "spectrum"]
    # Without what it reads its figure is none; that is not remembered as what it is.
    edited(root / "config" / "studies" / "spectrum.yaml", "title: ", "titel: ")
    for _ in range(2):
        found = open_project(root, {})
        assert (found.broken, found.chosen) == (["spectrum"], ["chain", "reader"])
        assert [*found.jobs["reader"].figures] == ["loss"]
    edited(root / "config" / "studies" / "spectrum.yaml", "titel: ", "title: ")
    again = open_project(root, {})
    assert [*again.jobs["reader"].figures] == ["loss", "both"]
    assert again == open_project(root, {})

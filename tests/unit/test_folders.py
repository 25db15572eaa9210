"""Names in the configuration that become paths: plain ones are accepted, all others explained."""

import json
import unicodedata

import pytest
from test_config import TEXT, project

from nessflow.config.folders import PROJECT, results_fault
from nessflow.config.project import ConfigError, load_project

ACCEPTED = [
    "results",
    "results/",
    "out/run 1",
    "Results",
    "out/2026-11-27/a,b+c=d@e.f",
    "Größe/Ωµ",
    "docs results",
    "source",
    "_x",
]

HOSTILE = [
    *("", " ", ".", "./results", "results/.", "results//a", "a/", "/", "//", "results /x"),
    *("..", "../x", "results/..", "results/../x", "a/../../x", "...", "/tmp/x", "//host/x", "C:/x"),
    *("~", "~/x", "~root", "-rf", "--", "-", "out/-rf", ".git", ".git/x", ".snakemake", ".venv/x"),
    *("a;touch PWNED #", "a && b", "a|b", "a`b`", "$(touch x)", "$HOME", "${HOME}", "a>b", "a<b"),
    *("a'b", 'a"b', "a\\b", "a*", "a?", "[a]", "{a}", "{study}", "{{a}}", "!a", "#a", "%a", "a#b"),
    *(
        "a(b)",
        "a&b",
        "a:b",
        "a\nb",
        "a\rb",
        "a\tb",
        "a\0b",
        "a\x1bb",
        "a\x7fb",
        "a\u200bb",
        "a\ufeff",
    ),
    *(
        "a\ufeffb",
        "a\u202eb",
        "a\u2028b",
        "a\ud800b",
        "\u00a0a",
        "a\u00a0",
        "a/ b",
        "a /b",
        "a/\u3000b",
    ),
    *(unicodedata.normalize("NFD", "Größe"), "\u212b", "A\u030a", "e\u0301", "\u1100\u1161"),
    *("a" * 201, "a/" * 101 + "a", "ä" * 101, "a" * 5000),
    *PROJECT,
    *(f"{name}/results" for name in PROJECT),
    *("SRC", "Docs", "TESTS/x", "src/../results", "config/studies"),
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_plain_path_is_accepted(tmp_path, text):
    assert results_fault(tmp_path, text) == ""


def test_a_hundred_hostile_paths_are_refused_with_the_way_out(tmp_path):
    assert len(set(HOSTILE)) >= 100
    for text in HOSTILE[1:]:
        # "a/" is the folder a.
        if text == "a/":
            continue
        fault = results_fault(tmp_path, text)
        assert fault.startswith("expected "), text
        assert results_fault(tmp_path, text) == fault


@pytest.mark.parametrize("text", ["a;touch PWNED #", "../x", "/tmp/x", "src", "-rf", "{study}"])
def test_file_line_and_key_are_named(tmp_path, text):
    root = project(tmp_path, f"tier: paper\nresults: '{text}'\n", current=TEXT)
    with pytest.raises(ConfigError) as caught:
        load_project(root)
    assert f"config.yaml:2: results = {text}: expected a" in str(caught.value)


def test_a_nul_is_named(tmp_path):
    root = project(tmp_path, 'results: "a\\0b"\n', current=TEXT)
    with pytest.raises(ConfigError, match=r"config.yaml:1: results.*: expected"):
        load_project(root)


def test_links_lead_to_folders_that_are_no_part_of_the_project(tmp_path):
    root = tmp_path / "project"
    for name in ("src", ".git", "out"):
        (root / name).mkdir(parents=True)
    (tmp_path / "scratch").mkdir()
    targets = {
        "good": (tmp_path / "scratch", ""),
        "inside": ("out", ""),
        "source": ("src", "belongs to the project"),
        "git": (".git", "belongs to the project"),
        "itself": (".", "the folder of the project"),
        "above": ("..", "the folder of the project"),
        "nowhere": ("none", "is not there; make that folder"),
    }
    for name, (target, expected) in targets.items():
        (root / name).symlink_to(target)
        fault = results_fault(root, name)
        assert (expected in fault) if expected else fault == "", name
        assert results_fault(root, f"{name}/x") == "" or expected, name
    (root / "file").write_text("")
    assert "file is there and is not a folder" in results_fault(root, "file")
    assert "file is there and is not a folder" in results_fault(root, "file/x")


STUDIES = [
    *("-rf", "--", "a b", "a;b", "$(b)", "a'b", 'a"b', "a`b`", "a\nb", "a\tb", "a\x1bb", "A", "aB"),
    *("Größe", unicodedata.normalize("NFD", "é"), "a_b", "a.b", "~", "a*", "{a}", "a\\b"),
    *(
        "a" * 81,
        "all",
        "smoke",
        "report",
        "archive",
        "data",
        "block",
        "figures",
        "\udcff",
        "a\u200b",
    ),
]


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_with_a_hostile_name_is_refused(tmp_path, name):
    root = project(tmp_path, "studies: all\n", current=TEXT)
    (root / "config/studies" / f"{name}.yaml").write_text(TEXT)
    with pytest.raises(ConfigError) as caught:
        load_project(root)
    text = str(caught.value)
    assert "rename the file" in text
    assert len(text.splitlines()) == len(caught.value.problems)
    text.encode()


AXES = [
    *("-rf", "a b", "a;b", "$(b)", "a'b", "a`b`", "a\nb", "a\0b", "a-b", "a/b", "../a", "/a", "~"),
    *(
        "é",
        unicodedata.normalize("NFD", "é"),
        "µ",
        "a\u200b",
        "1a",
        "a.b",
        "a" * 65,
        "{a}",
        "*",
        "",
    ),
    *("sample", "status", "seeds", "pi", "exp", "title", "system", "lambda", "None", "rate_error"),
]


@pytest.mark.parametrize("name", AXES)
def test_an_axis_with_a_hostile_name_is_refused(tmp_path, name):
    text = TEXT.replace("axes:\n", f"axes:\n  {json.dumps(name)}: {{inner: [1, 2]}}\n")
    assert text != TEXT
    root = project(tmp_path, "studies: all\n", current=text)
    with pytest.raises(ConfigError) as caught:
        load_project(root)
    assert "current.yaml:" in str(caught.value)
    assert "axes" in str(caught.value)


def test_axes_that_differ_in_capitals_alone_are_refused(tmp_path):
    text = TEXT.replace("axes:\n", "axes:\n  ZZ: {inner: [1, 2]}\n  zz: {inner: [1, 2]}\n")
    root = project(tmp_path, "studies: all\n", current=text)
    with pytest.raises(
        ConfigError, match="expected a key that differs from ZZ by more than capitals"
    ):
        load_project(root)

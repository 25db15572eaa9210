"""The lock and the files beside it."""

import ast
import importlib.util
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name as canonical
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]


def check_wheels():
    """The script that asks the package index, of which tests ask nothing."""
    path = ROOT / "envs" / "check_wheels.py"
    spec = importlib.util.spec_from_file_location("check_wheels", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pins_that_are_looked_for_are_those_of_each_system():
    script = check_wheels()
    lock = script.LOCK.read_text()
    pins = script.pins(lock)
    assert len(pins) == lock.count("==") - lock.count("== '")  # markers have spaces
    assert sum(line.count("--hash=") for line in pins.values()) == lock.count("--hash=")
    for python in script.PYTHONS:
        for system in script.SYSTEMS:
            asked = [pin for pin in pins if script.applies(pin, python, system)]
            names = [pin.name for pin in asked]
            assert len(names) == len(set(names))
            assert {"numpy", "numba", "snakemake"} <= set(names)
            assert "colorama" not in names  # Windows
            assert any("< '3.12'" in pins[pin] for pin in asked) == (python == "3.11")


def test_wheels_are_those_that_run_there():
    tags = check_wheels().tags
    assert tags("macOS 14 arm64") == ["macosx_14_0_arm64"]
    linux = tags("Linux aarch64")
    assert linux[0] == "manylinux_2_28_aarch64"
    assert "manylinux_2_17_aarch64" in linux
    assert all("x86" not in tag for tag in linux)


def test_what_is_claimed_is_what_is_looked_for():
    script = check_wheels()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    claimed = [re.fullmatch(r".* :: (3\.\d+)", line) for line in project["classifiers"]]
    assert [found[1] for found in claimed if found] == list(script.PYTHONS)
    text = " ".join((ROOT / "README.md").read_text().split())
    for name in (*script.PYTHONS, "Apple silicon"):
        assert name in text


@pytest.mark.parametrize("name", ["requirements", "judges", "docs", "lowest"])
def test_the_lock_has_hashes_and_no_address(name):
    lock = (ROOT / "envs" / f"{name}.lock").read_text()
    assert "://" not in lock
    entries = re.split(r"\n(?=\S)", lock.strip())
    pinned = [entry for entry in entries if "==" in entry.splitlines()[0]]
    assert len(pinned) > 50
    assert all("--hash=sha256:" in entry for entry in pinned)


def test_what_slurm_needs_leaves_the_environment_as_it_is():
    def versions(name):
        lock = (ROOT / "envs" / f"{name}.lock").read_text()
        assert "://" not in lock
        assert lock.count("==") <= lock.count("--hash=sha256:")
        return set(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", lock, re.M))

    added = versions("slurm") - versions("requirements")
    assert {name for name, _ in added} == {
        "snakemake-executor-plugin-slurm",
        "snakemake-executor-plugin-slurm-jobstep",
    }


def test_the_oldest_releases_are_those_that_are_claimed():
    """What tests beside Kwant run with."""
    lock = (ROOT / "envs" / "lowest.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        name, bound = re.match(r"([A-Za-z0-9._-]+)>=([0-9.]+)", line).groups()
        assert re.search(rf"^{canonical(name)}=={re.escape(bound)}(\.0)*[ ;]", lock, re.M), line


def test_every_dependency_is_pinned_and_explained():
    lock = (ROOT / "envs" / "requirements.lock").read_text()
    pinned = {canonical(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.M)}
    wanted = asked_for("requirements")
    declared = {
        canonical(re.match(r"[A-Za-z0-9._-]+", line)[0])
        for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    assert wanted <= pinned
    assert declared <= wanted
    explained = (ROOT / "docs" / "architecture.md").read_text()
    asked = wanted | asked_for("docs")
    assert not [name for name in asked if canonical(name) not in canonical(explained)]


def asked_for(name):
    lines = (ROOT / "envs" / f"{name}.in").read_text().splitlines()
    named = (line for line in lines if line and not line.startswith("#"))
    return {canonical(re.match(r"[A-Za-z0-9._-]+", line)[0]) for line in named}


OPTIONAL = {"sisl", "pyarrow"}
"""For a few users, who are told so where it is missing."""
BY_NAME = {"pygments", "netcdf4"}
"""What no module imports: Snakemake's report and xarray's files need them, and install neither."""


def test_what_is_imported_is_declared():
    """An environment that has what the wheel asks for has all that its modules import."""
    imports = re.compile(r"^\s*(?:from|import)\s+([A-Za-z_]\w*(?:\.\w+)?)", re.M)
    source = ROOT / "src" / "nessflow"
    names = set()
    for path in (*source.rglob("*.py"), *source.rglob("*.smk"), *source.rglob("Snakefile")):
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names.add(node.module)
        else:
            names |= set(imports.findall(path.read_text()))
    tops = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    packages = packages_distributions()
    wanted = {
        canonical(packages[top][0]) for top in tops - OPTIONAL - {"nessflow"} if top != "ruamel"
    }
    declared = {
        canonical(re.match(r"[A-Za-z0-9._-]+", line)[0])
        for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    # Several packages share this name.
    assert "ruamel" in tops
    assert declared == wanted | BY_NAME | {"ruamel-yaml"}


def test_conda_installs_what_the_lock_says():
    """By hash from the lock itself, so that names and versions cannot differ."""
    path = ROOT / "envs" / "environment.yaml"
    text = YAML(typ="safe").load(path.read_text())
    python, pip, packages = text["dependencies"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert python == f"python {project['requires-python']}"
    assert pip == "pip"
    (line,) = packages["pip"]
    options, lock = line.rsplit(maxsplit=1)
    assert options == "--require-hashes -r"
    # Taken from the folder of the file.
    assert (path.parent / lock).samefile(ROOT / "envs" / "requirements.lock")


def test_the_systems_are_those_of_the_page():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    systems = {
        name.split(" :: ")[-1] for name in project["classifiers"] if name.startswith("Operating")
    }
    assert systems == {"Linux", "MacOS"}
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert "on Linux (" in readme
    assert "or macOS from 14" in readme
    assert "Windows is not supported" in readme

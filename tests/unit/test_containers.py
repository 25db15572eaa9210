"""Recipes of images, whose steps need a network: what they name is there and is the lock's."""

import re
import subprocess

import pytest

from conftest import ROOT

RECIPES = ("Dockerfile", "nessflow.def")
SCRIPT = (ROOT / "envs" / "install.sh").read_text()


def recipe(name):
    return (ROOT / "envs" / name).read_text()


def copied(name):
    """Return what a recipe copies, by its place in the image."""
    if name == "Dockerfile":
        lines = re.findall(r"^COPY (.+) (\S+)$", recipe(name), re.M)
        return {
            target + (path if target.endswith("/") else ""): path
            for paths, target in lines
            for path in paths.split()
        }
    section = re.search(r"^%files\n((?: .*\n)+)", recipe(name), re.M)[1]
    return {target: path for path, target in map(str.split, section.strip().splitlines())}


@pytest.mark.parametrize("name", RECIPES)
def test_the_base_is_one_release_of_python(name):
    (base,) = re.findall(r"^(?:FROM|From:) (\S+)$", recipe(name), re.M)
    assert base in recipe(RECIPES[0])
    version = re.fullmatch(r"python:3\.(\d+)\.\d+-slim-[a-z]+", base)
    assert 11 <= int(version[1]) <= 14


@pytest.mark.parametrize("name", RECIPES)
def test_an_image_has_what_is_installed(name):
    assert copied(name) == copied(RECIPES[0])
    for path in copied(name).values():
        assert (ROOT / path).exists(), path
    inside = {target.removeprefix("/opt/nessflow/") for target in copied(name)}
    # What the script reads, and what a build of the package reads.
    read = re.findall(r"\b(envs/[\w.]+)", SCRIPT)
    assert {"envs/requirements.lock", "envs/compile_kernels.py"} == set(read)
    assert all((ROOT / path).is_file() for path in read)
    assert {"envs", "src", "pyproject.toml", "README.md", "LICENSE"} == inside
    assert "sh /opt/nessflow/envs/install.sh" in recipe(name)


def test_the_script_installs_by_hash_and_is_one():
    assert "--require-hashes -r envs/requirements.lock" in SCRIPT
    assert "--no-deps --no-build-isolation ." in SCRIPT
    subprocess.run(["sh", "-n", ROOT / "envs" / "install.sh"], check=True)


def test_any_user_has_a_folder_and_a_name():
    """Snakemake ends in a traceback without them, and `docker run --user` brings neither."""
    assert re.search(r"^ENV HOME=/tmp USER=\w+$", recipe("Dockerfile"), re.M)


@pytest.mark.parametrize("name", [*RECIPES, "install.sh", "environment.yaml"])
def test_no_recipe_has_an_address(name):
    assert "://" not in recipe(name)

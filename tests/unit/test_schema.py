"""The JSON Schema of study files, by which editors judge, accepts what the reader accepts."""

import re
from pathlib import Path

import pytest

from mutated_studies import mutations
from nessflow.config.document import Place, parse
from nessflow.config.project import ConfigError, load_study
from nessflow.config.study_file import study_schema
from nessflow.registry import find_kind, kind_names, use_project
from nessflow.verbs.describe import EXAMPLES

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[2]
OWN = """\
title: What a system of one's own may say
study: steady-current
system:
  lattice: LATTICE
  regions: {near: {where: x < 3}, far: {start: 3, stop: 4}, both: [1, 2]}
  loss: LOSS
  leads:
    left: LEFT
    right: {kind: wide-band, broadening: $(2 * q), chemical_potential: 0, temperature: 0.1, site: 4}
axes: {q: {inner: [0.5, 2 * pi]}, U: {outer: {linspace: [0, pi / 2, 3]}}}
"""
WIDE = "{kind: wide-band, broadening: 1, chemical_potential: $U, temperature: 0.1, site: near}"
CHAIN = "{kind: chain, sites: 4, onsite: $(q * site)}"
LOSSES = [
    "{kind: sites, sites: near, rate: $(0.1 * x)}",
    "{kind: sites, sites: {where: x > 2}, rate: 0.1}",
    "{kind: sites, sites: {start: 1, stop: 3, step: 2}, rate: 0.1}",
    "{kind: sites, rates: {1: 0.1, 2: $q}}",
    "{kind: vectors, vectors: [{1: 0.3, 2: 0.2j}, {3: $q}]}",
    "{kind: bond, rate: $q, bonds: [[1, 2], [2, 3]]}",
]
LATTICES = [
    "{kind: chain, sites: 4, onsite: [0, 1, $q, 2]}",
    "{kind: chain, sites: 4, orbitals: 2, onsite: {file: data/lead.npz, name: cell}}",
    "{kind: chain, sites: 4, hopping: exp(1j * x)}",
    "{kind: chain, sites: 4, hopping: 1+2i}",
    "{kind: chain, sites: 4, orbitals: 2, onsite: [[0, 1j], [-1j, $q]], hopping: [[1, 0], [0, 1]]}",
    "{kind: matrix, hamiltonian: {file: data/lead.npz, name: cell}}",
    "{kind: matrix, hamiltonian: [[0, 1+2i], [[1, -2], $q]]}",
    "{kind: file, path: data/strip.npz}",
    "{kind: file, path: data/wire_hr.dat, cut: {cells: 3}}",
    "{kind: square, length: 3, width: 2, hopping: {x: 1, y: $(1 + x)}}",
    "{kind: square, shape: [{kind: disc, radius: 2}, {kind: rectangle, length: 3, width: 2}]}",
    '{kind: python, function: "parts/my_model.py:described", parameters: {sites: 4, energy: $q}}',
]
LEADS = [
    "{kind: continued, chemical_potential: 0, temperature: 0.1}",
    "{kind: unit-cell, cell: {file: data/lead.npz}, hopping: {file: data/lead.npz}, "
    "site: [1, 2], chemical_potential: 0, temperature: 0.1}",
    "{kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1, "
    "site: {1: 1, 2: 1j}}",
    "{kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1, "
    "site: {start: 1, stop: 3}}",
]


@pytest.fixture(scope="module")
def schema():
    found = study_schema({name: find_kind(name) for name in kind_names()})
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def faults(schema, text):
    """What is wrong with a study by its schema."""
    data = parse(text, Place("a study")).data
    return [f"{list(e.absolute_path)}: {e.message[:200]}" for e in schema.iter_errors(data)]


def shipped():
    """The studies of the project, the examples of kinds and those of the pages."""
    paths = [*(ROOT / "config" / "studies").glob("*.yaml"), *EXAMPLES.glob("*.yaml")]
    yield from ((path.stem, path.read_text()) for path in paths)
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S)):
            if "study:" in text and "title:" in text and "my-" not in text:
                yield f"{page.name} {number}", text


def test_it_accepts_all_studies_that_there_are(schema):
    found = {name: faults(schema, text) for name, text in shipped()}
    assert len(found) > 100
    assert not {name: each for name, each in found.items() if each}


def own(lattice=CHAIN, loss=LOSSES[0], lead=WIDE):
    return OWN.replace("LATTICE", lattice).replace("LOSS", loss).replace("LEFT", lead)


@pytest.mark.parametrize(
    "text",
    [own(loss=x) for x in LOSSES]
    + [own(lattice=x) for x in LATTICES]
    + [own(lead=x) for x in LEADS],
)
def test_it_accepts_the_systems_of_users(schema, text):
    assert not faults(schema, text)


_KNOWN = re.compile(r"one of the keys|expected a list|expected true or false|a mapping of keys")
"""What the schema can know of a key and the type of its value."""


@pytest.mark.parametrize("seed", range(2))
def test_it_agrees_with_the_reader(schema, tmp_path, seed):
    use_project(tmp_path)
    (tmp_path / "config" / "studies").mkdir(parents=True)
    path = tmp_path / "config" / "studies" / "wire.yaml"
    both = 0
    for what, content in mutations(sorted(EXAMPLES.glob("*.yaml")), count=100, seed=10 + seed):
        path.write_bytes(content)
        said = ""
        try:
            load_study(path)
        except ConfigError as error:
            said = str(error)
        try:
            found = faults(schema, content.decode())
        except (ConfigError, UnicodeDecodeError):
            assert said, what
            continue
        both += bool(said and found)
        assert said or not found, (what, found)
        if _KNOWN.search(said) and "figures" not in said:
            assert found, (what, said)
    assert both > 20

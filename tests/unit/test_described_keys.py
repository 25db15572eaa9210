"""What ``nessflow describe`` answers to: what can I write here?"""

import pytest
from click.testing import CliRunner

from nessflow.cli import commands
from nessflow.config.keys import described_key, example
from nessflow.errors import ConfigError
from nessflow.observables.observable import observable_kinds
from nessflow.registry import find_kind, kind_names, members
from nessflow.systems.channels.channel import Channels
from nessflow.systems.disorder.disorder import Disorder
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.leads.lead import Lead
from nessflow.systems.shapes.shape import Shape
from nessflow.validation import resolved, schema_of, validated
from nessflow.verbs.describe import describe_key, describe_kind, describe_part, part_names


def keys(schema, node, key=(), depth=0):
    """Every key of a schema, parts named where they decide."""
    node = resolved(schema, node)
    if depth > 9:
        return
    if "discriminator" in node:
        for tag, target in node["discriminator"]["mapping"].items():
            yield from keys(schema, {"$ref": target}, (*key, tag), depth + 1)
        return
    for name, child in node.get("properties", {}).items():
        if name != "kind":
            yield (*key, name)
            yield from keys(schema, child, (*key, name), depth + 1)
    for part in node.get("anyOf", []):
        yield from keys(schema, part, key, depth + 1)


@pytest.mark.parametrize("kind", kind_names())
def test_every_key_of_every_kind_is_described(kind):
    schema = schema_of(find_kind(kind).Parameters)
    found = set(keys(schema, schema))
    assert found
    for key in sorted(found):
        lines = described_key(schema, key)
        assert lines[0].startswith(".".join(key)), key
        assert len(lines) > 1, key
        assert "text" not in {line.partition(": ")[2] for line in lines if "Example" in line}, key


@pytest.mark.parametrize("name", part_names())
def test_every_part_is_described(name):
    text = describe_part(name, None)
    assert text.startswith(name)
    assert "Example: " in text
    assert "Stands in " in text


@pytest.mark.parametrize("name", ["entropy-production", "noise"])
def test_an_observable_names_its_variables(name):
    found = observable_kinds()[name]
    text = describe_part(name, None)
    assert all(line in text for line in found.conventions)
    assert all(f"    {x} [" in text for x in found.variables if not x.endswith("_error"))


FAMILIES = (Lattice, Lead, Channels, Disorder, Shape)
PARTS = [part for family in FAMILIES for name, part in members(family).items()]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_examples_are_sound(part):
    schema = schema_of(part)
    value = example(schema, schema)
    _, faults = validated(part, value)
    # Of files and functions nothing is there.
    assert all("there is no file" in x.hint or "no such file" in x.hint for x in faults), faults


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["transmission", "system.leads.left.broadning"], "did you mean 'broadening'?"),
        (["transmission", "system.lattice.hoping"], "did you mean 'hopping'?"),
        (["transmission", "sytem"], "did you mean 'system'?"),
        (["transmission", "figures.map.zz"], "one of the keys of figures.map: "),
        (["transmission", "title.x"], "no key: what stands at title has none"),
        (["widebnd"], "did you mean 'wide-band'?"),
        (["disc", "radios"], "did you mean 'radius'?"),
        (["transmision", "system"], "did you mean 'transmission'?"),
    ],
)
def test_a_misspelt_name_is_one_line_with_the_nearest(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(commands, ["describe", *arguments])
    assert isinstance(found.exception, ConfigError)
    assert said in str(found.exception)
    assert "\n" not in str(found.exception)


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        (
            "system.leads.left.broadening",
            [
                "number >= 0 (t), required",
                "broadening of the contact site",
                "Example: broadening: 1",
            ],
        ),
        ("system.leads", ["key -> one of the following, required", "kind: wide-band"]),
        ("system.leads.wide-band", ["Lead with an energy-independent"]),
        ("system.lattice.hopping", ["(of chain, ring, star)", "(of ladder)", "hopping: 1.0"]),
        ("system.loss.sites", ["region, optional"]),
        ("system.loss.rates.3", ["number >= 0"]),
        ("system.disorder.half_width", ["number >= 0 (t), required"]),
        ("axes.V.inner", ["list of numbers or {linspace: ...}", "Example: inner: [1]"]),
        ("ensemble.samples", ["whole number >= 1 and <= 1000000, required"]),
        ("figures.0.map.z", ["text, required", "variable"]),
        ("energies.stop", ["last energy", "Example: stop: 2"]),
        ("observables.local-density-of-states.energies", ["(t), required"]),
    ],
)
def test_what_a_key_may_be(key, lines):
    text = describe_key("transmission", key)
    assert all(line in text for line in lines), text


def test_a_kind_says_how_to_ask_for_more():
    assert "a matrix rows or {file: data/h.npz}" in describe_kind("transmission")

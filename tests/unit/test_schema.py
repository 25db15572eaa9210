"""The JSON Schema of study files, by which editors judge, accepts what the reader accepts."""

import re
from pathlib import Path

import pytest

import own_files
from mutated_studies import mutations
from nessflow.config.document import Place, parse
from nessflow.config.project import ConfigError, load_study
from nessflow.config.study_file import study_schema
from nessflow.registry import find_kind, kind_names, use_project
from nessflow.verbs.describe import EXAMPLES

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("text", own_files.studies())
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

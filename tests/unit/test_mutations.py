"""Studies of every kind with mistakes in them: a fault with its line and key, or a sound plan."""

import pytest

import own_files
from mutated_studies import mutations
from nessflow.config.grid import block_count
from nessflow.config.project import ConfigError, load_study
from nessflow.config.study_file import MOST_BLOCKS
from nessflow.verbs.describe import EXAMPLES
from nessflow.verbs.workflow import jobs_of, read_project

PARTS = 4
_OF_THE_FILE = ("expected YAML", "a mapping of keys to values", "text in UTF-8", "at most")
_NO_WORDS = ("http", "pydantic", "Input should", "^[", "Traceback")


@pytest.mark.parametrize("part", range(PARTS))
def test_any_mistake_is_a_fault_with_its_place_or_a_sound_plan(tmp_path, part):
    (tmp_path / "config" / "studies").mkdir(parents=True)
    (tmp_path / "config" / "config.yaml").write_text("tier: paper\n")
    file = tmp_path / "config" / "studies" / "wire.yaml"
    kinds = sorted(EXAMPLES.glob("*.yaml"))
    refused = 0
    for what, content in mutations(kinds[part::PARTS], count=30, seed=part):
        file.write_bytes(content)
        problems, text = (), ""
        try:
            study = read_project(tmp_path, studies=["wire"]).studies["wire"]
        except ConfigError as error:
            problems, text = error.problems, str(error)
        if problems:
            refused += 1
        else:
            assert block_count(study.axes, study.ensemble) <= MOST_BLOCKS, what
            assert jobs_of(tmp_path, study).blocks, what
        assert len(text) < 30_000, what
        assert not any(words in text for words in _NO_WORDS), (what, text)
        for problem in problems:
            assert problem.file == str(file), what
            assert problem.line, what
            assert problem.key or any(words in str(problem) for words in _OF_THE_FILE), what
    assert refused > 10


def test_any_mistake_in_a_system_of_ones_own_is_a_fault_with_its_place(tmp_path):
    folder = own_files.write(tmp_path) / "config" / "studies"
    sound = []
    for number, text in enumerate(own_files.studies()):
        sound.append(folder / f"sound-{number}.yaml")
        sound[-1].write_text(text)
        load_study(sound[-1])
    file = folder / "wire.yaml"
    refused = {}
    for what, content in mutations(sound, count=100, seed=PARTS):
        file.write_bytes(content)
        try:
            load_study(file)
        except ConfigError as error:
            refused[what] = error
    assert len(refused) > 50
    for what, error in refused.items():
        assert all(problem.line for problem in error.problems), what
        assert not any(words in str(error) for words in _NO_WORDS), (what, str(error))

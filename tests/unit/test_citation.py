"""What data, archive and deposits say of those who made a project."""

import json

import pytest

from nessflow.config.project import load_project
from nessflow.publish.crate import About, File, crate_json
from nessflow.publish.zenodo import zenodo_json
from nessflow.registry import use_project
from nessflow.run.provenance import provenance, record_of
from nessflow.store.citation import attributes_of, citation_of, read_citation
from nessflow.store.manifest import state_of
from nessflow.verbs.begin.init import init_project

CITATION = """\
cff-version: 1.2.0
message: Please cite it.
title: Lossy wires
license: CC-BY-4.0
doi: 10.5281/zenodo.1234567
abstract: >-
  Two
  lines.
authors:
  - given-names: Emmy
    family-names: Noether
    orcid: https://orcid.org/0000-0002-1825-0097
    affiliation: Mathematics, Göttingen
  - given-names: Ada
    family-names: Lovelace
"""
GROUP = "  - name: The wire group\n"


@pytest.fixture
def project(tmp_path):
    list(init_project(tmp_path, "Emmy Noether"))
    (tmp_path / "CITATION.cff").write_text(CITATION)
    return tmp_path


def test_data_name_their_authors_in_one_order(project):
    assert attributes_of(read_citation(project)) == {
        "license": "CC-BY-4.0",
        "project": "Lossy wires",
        "creator_type": "person",
        "creator_name": "Emmy Noether; Ada Lovelace",
        "creator_url": "https://orcid.org/0000-0002-1825-0097; not stated",
        "creator_institution": "Mathematics, Göttingen; not stated",
        "metadata_link": "https://doi.org/10.5281/zenodo.1234567",
    }
    (project / "CITATION.cff").write_text(CITATION + GROUP)
    with_group = attributes_of(citation_of(project))
    assert with_group["creator_type"] == "group"
    assert with_group["creator_name"].endswith("; The wire group")


def test_a_study_is_credited_and_gathered_anew_when_the_credit_changes(project):
    use_project(project)
    study = load_project(project).studies["first-wire"]
    record = record_of(provenance(study))
    assert record.items() >= attributes_of(read_citation(project)).items()
    before = state_of(study)
    for change in (GROUP, "version: 2\n"):
        (project / "CITATION.cff").write_text(CITATION + change)
        # Of the version data say nothing.
        assert (state_of(study) != before) == (change == GROUP)


def test_two_projects_of_one_process_keep_their_credit(project, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    list(init_project(other, "Ada Lovelace"))
    study = load_project(project).studies["first-wire"]
    before = state_of(study), provenance(study)
    for root, name in ((other, "Ada Lovelace"), (project, "Emmy Noether; Ada Lovelace")):
        use_project(root)
        assert (state_of(study), provenance(study)) == before
        assert (
            record_of(provenance(load_project(root).studies["first-wire"]))["creator_name"] == name
        )


def test_the_archive_says_it_to_programs(project):
    about = About("Lossy wires", "Data.", "2026-01-01", "abc", "9", read_citation(project))
    files = {name: File(1, "0" * 64) for name in ("README.md", "Snakefile")}
    graph = json.loads(crate_json(about, files, {}, [], "Snakefile"))["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    root = entities["./"]
    authors = [who["@id"] for who in root["author"]]
    assert authors == ["https://orcid.org/0000-0002-1825-0097", "#author-2"]
    first = entities[authors[0]]
    assert (first["@type"], first["name"]) == ("Person", "Emmy Noether")
    assert entities[first["affiliation"]["@id"]]["name"] == "Mathematics, Göttingen"
    assert root["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    doi = "https://doi.org/10.5281/zenodo.1234567"
    assert root["identifier"] == ["abc", {"@id": doi}]
    assert entities[doi]["value"] == "doi:10.5281/zenodo.1234567"


def test_a_deposit_has_family_names_first(project):
    (project / "CITATION.cff").write_text(CITATION + GROUP)
    deposit = json.loads(zenodo_json(read_citation(project), "Data."))
    assert deposit == {
        "title": "Lossy wires",
        "upload_type": "dataset",
        "creators": [
            {
                "name": "Noether, Emmy",
                "orcid": "0000-0002-1825-0097",
                "affiliation": "Mathematics, Göttingen",
            },
            {"name": "Lovelace, Ada"},
            {"name": "The wire group"},
        ],
        "license": "cc-by-4.0",
        "description": "Data.",
    }

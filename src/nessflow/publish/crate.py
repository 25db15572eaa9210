"""``ro-crate-metadata.json``: what an archive says of itself to programs.

A Workflow Run RO-Crate: the workflow as a whole, and one action for each study with what it read
and wrote.  Single jobs are not described, since no record of them travels; neither are times,
which results do not hold.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate

from nessflow.store.citation import DOI, Author, Citation

METADATA = "ro-crate-metadata.json"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_WORKFLOW_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
# Not in the vocabulary of RO-Crate 1.1.
_TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
_FORMATS = {
    ".cff": "text/yaml",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".nc": "application/x-netcdf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".yaml": "text/yaml",
}


@dataclass(frozen=True)
class File:
    """A file of the archive that the metadata describe."""

    size: int
    sha256: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What computed the results of one study; files by their names in the archive."""

    name: str
    title: str
    description: str
    read: list[str]
    written: list[str]


@dataclass(frozen=True)
class About:
    """The archive as a whole; ``published`` as ISO 8601."""

    name: str
    description: str
    published: str
    commit: str
    snakemake: str
    citation: Citation


def crate_json(
    about: About,
    files: Mapping[str, File],
    folders: Mapping[str, str],
    runs: Iterable[Run],
    workflow: str,
) -> str:
    """Return the metadata as JSON-LD; the same text for the same archive.

    Parameters
    ----------
    about : About
        The archive.
    files : mapping of str to File
        The files to describe, among them the workflow and all that the runs name.
    folders : mapping of str to str
        What each folder of source is that is described as a whole.
    runs : iterable of Run
        One for each study.
    workflow : str
        The file that Snakemake reads.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms = _TERMS
    authors = [_author(crate, n, who) for n, who in enumerate(about.citation.authors, 1)]
    licence = about.citation.licence
    licence_entity = _context(
        crate, f"https://spdx.org/licenses/{licence}", "CreativeWork", name=licence
    )
    crate.root_dataset["conformsTo"] = [
        _context(crate, url, "CreativeWork", name=name, version=url.rsplit("/", 1)[1])
        for url, name in _PROFILES.items()
    ]
    root = {
        "name": about.name,
        "description": about.description,
        "datePublished": about.published,
        "license": licence_entity,
        "author": authors,
        "identifier": [about.commit, *_doi(crate, about.citation.doi)],
    }
    _describe(crate.root_dataset, root)
    # By name: an identifier is a URI, in which a space or a letter with an accent is encoded.
    added = {}
    for name, file in files.items():
        if name == workflow:
            added[name] = _add_workflow(crate, name, file, about, authors, licence_entity)
        else:
            added[name] = crate.add_file(dest_path=name, properties=_described(name, file))
    crate.get("README.md")["about"] = crate.root_dataset
    for name, text in folders.items():
        crate.add_dataset(dest_path=name, properties={"name": name, "description": text})
    _describe(
        crate.root_dataset,
        {"mentions": [_action(crate, run, added[workflow], added) for run in runs]},
    )
    return json.dumps(crate.metadata.generate(), indent=1, sort_keys=True) + "\n"


def _described(name: str, file: File) -> dict[str, Any]:
    suffix = PurePosixPath(name).suffix
    return {
        "name": PurePosixPath(name).name,
        "encodingFormat": _FORMATS.get(suffix, "text/plain"),
        "contentSize": str(file.size),
        "sha256": file.sha256,
        **file.properties,
    }


def _add_workflow(
    crate: ROCrate, name: str, file: File, about: Any, authors: Any, licence: Any
) -> Entity:
    workflow = crate.add_workflow(
        dest_path=name,
        main=True,
        lang="snakemake",
        lang_version=about.snakemake,
        properties=_described(name, file) | {"name": about.name},
    )
    profile = _context(crate, _WORKFLOW_PROFILE, "CreativeWork", name="ComputationalWorkflow")
    properties = {"conformsTo": profile, "creator": authors, "license": licence}
    _describe(workflow, properties | {"version": about.commit})
    return workflow


def _author(crate: ROCrate, number: int, who: Author) -> Entity:
    """Return a person, or what has one name only, of a citation file."""
    kind = "Person" if who.is_person else "Organization"
    names = {"name": who.name, "givenName": who.given, "familyName": who.family}
    said = {key: name for key, name in names.items() if name}
    if who.affiliation:
        said["affiliation"] = _context(
            crate, f"#affiliation-{number}", "Organization", name=who.affiliation
        )
    return _context(crate, who.orcid or f"#author-{number}", kind, **said)


def _doi(crate: ROCrate, doi: str) -> list[Entity]:
    """Return the identifier of the archive where it has one."""
    if not doi:
        return []
    value = {"propertyID": "https://registry.identifiers.org/registry/doi", "value": f"doi:{doi}"}
    return [_context(crate, DOI + doi, "PropertyValue", name="DOI", url=DOI + doi, **value)]


def _action(crate: ROCrate, run: Run, workflow: Entity, added: Mapping[str, Entity]) -> Entity:
    return _context(
        crate,
        f"#run-{run.name}",
        "CreateAction",
        name=f"{run.name}: {run.title}",
        description=run.description,
        actionStatus="http://schema.org/CompletedActionStatus",
        instrument=workflow,
        object=[added[name] for name in run.read],
        result=[added[name] for name in run.written],
    )


def _context(crate: ROCrate, identifier: str, kind: str, **properties: object) -> Entity:
    entity = crate.add(ContextEntity(crate, identifier, {"@type": kind}))
    _describe(entity, properties)
    return entity


def _describe(entity: Entity, properties: Mapping[str, Any]) -> None:
    for key, value in properties.items():
        # RO-Crate asks for a list only where there are several.
        single = isinstance(value, list) and len(value) == 1
        entity[key] = value[0] if single else value

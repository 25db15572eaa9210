"""Who made a project, under which licence, and how it is cited: its ``CITATION.cff``."""

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from nessflow.config.document import Document, read_document
from nessflow.errors import ConfigError, Problem, nearest

CITATION = "CITATION.cff"
NOT_STATED = "not stated"
ORCID = "https://orcid.org/"
DOI = "https://doi.org/"
_LICENCE = re.compile(r"(?!LicenseRef-)[A-Za-z0-9][A-Za-z0-9.-]*", re.I)
_ORCID = re.compile(re.escape(ORCID) + r"(?:\d{4}-){3}\d{3}[\dX]")
_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/[A-Za-z0-9:/_;().\[\]-]+")
CREDIT = {
    "license": "licence",
    "project": "title of the project",
    "creator_type": "kind of authors",
    "creator_name": "authors",
    "creator_url": "ORCID of authors",
    "creator_institution": "affiliations of authors",
    "metadata_link": "DOI",
}
"""Attributes that say whose data these are, in words."""
_NAMES = ("name", "family-names", "given-names")
_TEXTS = ("abstract", "version", "type")


@dataclass(frozen=True)
class Author:
    """A person, or what has one name only; ``orcid`` is a URL, empty without one."""

    given: str = ""
    family: str = ""
    whole: str = ""
    orcid: str = ""
    affiliation: str = ""

    @property
    def is_person(self) -> bool:
        """Whether it has the names of a person."""
        return not self.whole

    @property
    def name(self) -> str:
        """The name as it is read."""
        return self.whole or " ".join(filter(None, (self.given, self.family)))


@dataclass(frozen=True)
class Citation:
    """What ``CITATION.cff`` says; ``licence`` is an identifier of SPDX, ``doi`` has no address."""

    title: str
    licence: str = NOT_STATED
    authors: tuple[Author, ...] = ()
    doi: str = ""
    abstract: str = ""
    version: str = ""
    type: str = "dataset"


def read_citation(root: Path) -> Citation:
    """Return what the citation file of a project says, of which an archive needs title and licence.

    Parameters
    ----------
    root : Path
        Folder of the project.

    Raises
    ------
    ConfigError
        With each fault, when something is missing or is not what it should be.
    """
    document = read_document(root / CITATION)
    if problems := list(_problems(document)):
        raise ConfigError(problems)
    said = cast("dict[str, Any]", document.data)
    return Citation(
        title=str(said["title"]),
        licence=str(said["license"]),
        authors=tuple(map(_author, said["authors"])),
        doi=str(said.get("doi", "")),
        **{key: " ".join(str(said[key]).split()) for key in _TEXTS if key in said},
    )


def citation_of(root: Path) -> Citation:
    """Return how a project is cited.

    By the name of its folder, with no licence and no author, where the citation file is missing or
    faulty, which stops nothing but an archive.
    """
    return _read(root, _content(root))[0]


def citation_problems(root: Path) -> tuple[Problem, ...]:
    """Return the faults of a citation file; none where there is no such file."""
    return _read(root, _content(root))[1]


def attributes_of(citation: Citation) -> dict[str, str]:
    """Return what data say of those who made them, by the names of ACDD-1.3.

    ``creator_name``, ``creator_url`` (ORCID) and ``creator_institution`` list the authors in one
    order, ``not stated`` where one has none; ``metadata_link`` is the DOI.
    """
    authors = citation.authors
    each = {
        "creator_name": [who.name for who in authors],
        "creator_url": [who.orcid for who in authors],
        "creator_institution": [who.affiliation for who in authors],
    }
    lists = {key: _list(values) for key, values in each.items() if any(values)}
    link = {"metadata_link": DOI + citation.doi} if citation.doi else {}
    kind = "person" if all(who.is_person for who in authors) else "group"
    named = {"project": citation.title, "creator_type": kind} if authors else {}
    return {"license": citation.licence, **named, **lists, **link}


def _list(values: list[str]) -> str:
    return "; ".join(value or NOT_STATED for value in values)


def _author(who: Mapping[str, Any]) -> Author:
    keys = {
        "given": "given-names",
        "family": "family-names",
        "whole": "name",
        "orcid": "orcid",
        "affiliation": "affiliation",
    }
    return Author(**{name: str(who[key]) for name, key in keys.items() if key in who})


def _content(root: Path) -> bytes | None:
    path = root / CITATION
    with contextlib.suppress(OSError):
        return path.read_bytes() if path.is_file() else None
    return None


@functools.cache
def _read(root: Path, content: bytes | None) -> tuple[Citation, tuple[Problem, ...]]:
    """Return what is said by the citation file as long as it has this content, and its faults."""
    unknown = Citation(root.resolve().name)
    if content is None:
        return unknown, ()
    try:
        return read_citation(root), ()
    except ConfigError as error:
        return unknown, error.problems


def _problems(document: Document) -> Iterator[Problem]:
    if not _is_text(document.get(("title",))):
        yield document.problem(("title",), "what the project is called")
    yield from _licence_problems(document)
    doi = document.get(("doi",))
    if doi is not None and not _DOI.fullmatch(str(doi)):
        yield document.problem(("doi",), "a DOI without address, such as 10.5281/zenodo.1234567")
    authors = document.get(("authors",))
    if not (isinstance(authors, list) and authors):
        yield document.problem(("authors",), "a list of who made the project")
        return
    for number, who in enumerate(authors):
        if not (isinstance(who, dict) and any(_is_text(who.get(key)) for key in _NAMES)):
            expected = "family-names and given-names of a person, or a name"
            yield document.problem(("authors", number), expected)
        elif "orcid" in who and not _is_orcid(str(who["orcid"])):
            expected = f"a URL such as {ORCID}0000-0002-1825-0097"
            hint = "its last character checks the others: one of them is mistyped"
            is_mistyped = _ORCID.fullmatch(str(who["orcid"]))
            yield document.problem(
                ("authors", number, "orcid"), expected, hint if is_mistyped else ""
            )


def _licence_problems(document: Document) -> Iterator[Problem]:
    given = document.get(("license",))
    known = _spdx(given)
    if known is None or known != given:
        expected = "an identifier of spdx.org/licenses, such as BSD-3-Clause or CC-BY-4.0"
        yield document.problem(("license",), expected, nearest(known, [known]) if known else "")


def _spdx(given: object) -> str | None:
    """Return an identifier of a licence as SPDX writes it, None where it knows none."""
    if not (isinstance(given, str) and _LICENCE.fullmatch(given)):
        return None
    try:
        return canonicalize_license_expression(given)
    except InvalidLicenseExpression:
        return None


def _is_orcid(url: str) -> bool:
    """Tell whether the last character is that of ISO 7064, MOD 11-2."""
    if not _ORCID.fullmatch(url):
        return False
    number = url.removeprefix(ORCID).replace("-", "")
    total = functools.reduce(lambda total, digit: 2 * (total + int(digit)), number[:-1], 0)
    return number[-1] == "0123456789X"[(12 - total) % 11]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())

"""Who made a project and under which licence: its ``CITATION.cff``."""

import contextlib
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from nessflow.config.document import Document, read_document
from nessflow.errors import ConfigError, Problem

CITATION = "CITATION.cff"
NOT_STATED = "not stated"
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_ORCID = re.compile(r"https://orcid\.org/(\d{4}-){3}\d{3}[\dX]")
_NAMES = ("name", "family-names", "given-names")


def read_citation(root: Path) -> dict[str, object]:
    """Return what the citation file of a project says, of which an archive needs this much.

    Parameters
    ----------
    root : Path
        Folder of the project.

    Returns
    -------
    dict
        ``title`` and ``license`` are texts, the latter an identifier of SPDX; ``authors`` is a list
        of mappings with ``name``, or with ``family-names`` and ``given-names``.

    Raises
    ------
    ConfigError
        With each fault, when one of these is missing or something else.
    """
    document = read_document(root / CITATION)
    if problems := list(_problems(document)):
        raise ConfigError(problems)
    return dict(document.data)


def title_and_licence(root: Path) -> tuple[str, str]:
    """Return what a project is called and the licence of its data.

    The name of the folder, and ``not stated``, where the citation file is missing or faulty, which
    stops nothing but an archive.
    """
    path, content = root / CITATION, None
    with contextlib.suppress(OSError):
        content = path.read_bytes() if path.is_file() else None
    return _said(root, content)


@functools.cache
def _said(root: Path, content: bytes | None) -> tuple[str, str]:
    """Return what is said by the citation file as long as it has this content."""
    try:
        found = read_citation(root)
    except ConfigError:
        return root.resolve().name, NOT_STATED
    return str(found["title"]), str(found["license"])


def _problems(document: Document) -> Iterator[Problem]:
    if not _is_text(document.get(("title",))):
        yield document.problem(("title",), "what the project is called")
    licence = document.get(("license",))
    if not (isinstance(licence, str) and _LICENCE.fullmatch(licence)):
        expected = "an identifier of spdx.org/licenses, such as BSD-3-Clause or CC-BY-4.0"
        yield document.problem(("license",), expected)
    authors = document.get(("authors",))
    if not (isinstance(authors, list) and authors):
        yield document.problem(("authors",), "a list of who made the project")
        return
    for number, who in enumerate(authors):
        if not (isinstance(who, dict) and any(_is_text(who.get(key)) for key in _NAMES)):
            expected = "family-names and given-names of a person, or a name"
            yield document.problem(("authors", number), expected)
        elif "orcid" in who and not _ORCID.fullmatch(str(who["orcid"])):
            expected = "a URL such as https://orcid.org/0000-0002-1825-0097"
            yield document.problem(("authors", number, "orcid"), expected)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())

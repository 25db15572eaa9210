"""Which studies stand together on the page, and in which order."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def grouped(studies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return studies by the paper that several follow, else by kind.

    Parameters
    ----------
    studies : sequence of dict
        With ``name``, ``title``, ``kind``, and ``paper`` and ``figure``, which may be empty.  Each
        is told the names of those ``before`` and ``after`` it, None at the ends.

    Returns
    -------
    list of dict
        ``name`` of a paper or kind, ``is_kind``, ``studies``: papers first, a paper's studies in
        the order of its figures.
    """
    papers = Counter(study["paper"] for study in studies)
    found: dict[Any, Any] = {}
    for study in studies:
        is_kind = not study["paper"] or papers[study["paper"]] == 1
        name = study["kind"] if is_kind else study["paper"]
        found.setdefault((is_kind, name), []).append(study)
    groups = [
        {"name": name, "is_kind": is_kind, "studies": sorted(found[is_kind, name], key=_place)}
        for is_kind, name in sorted(found)
    ]
    row = [study for group in groups for study in group["studies"]]
    for before, study, after in zip([None, *row], row, [*row[1:], None], strict=False):
        study["before"], study["after"] = before and before["name"], after and after["name"]
    return groups


def _place(study: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a key by which figure 2 precedes 10, and figures what is beyond them."""
    parts = filter(None, re.split("([0-9]+)", study["figure"]))
    numbers = [(False, int(part)) if part[0] in "0123456789" else (True, part) for part in parts]
    return not numbers, numbers, study["title"]

"""Figure files of the same bytes every time, with their provenance inside."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nessflow.figures.record import KEY
from nessflow.figures.style import styled

RECORD = (
    "figure",
    "study",
    "caption",
    "tier",
    "command",
    "data",
    "figure_digest",
    "nessflow_version",
    "versions",
    "license",
)
"""What the record of a figure says at least."""
DATA_RECORD = ("study", "content_sha256", "source_digest", "parameters", "versions")
"""What it says at least of each dataset."""


def save(figure: Figure, path: Path, record: Mapping[str, Any]) -> None:
    """Write a figure as svg, pdf or png.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : Path
        Its suffix says the format.
    record : mapping
        Where the figure comes from: ``RECORD``, and in ``data`` for each dataset ``DATA_RECORD``.
        Stored as JSON: PNG text ``nessflow``, SVG description, PDF subject.

    Raises
    ------
    ValueError
        When something is missing in the record.
    OSError
        When the disk refuses.
    """
    text = record_json(record)
    metadata = {
        ".png": {"Software": None, KEY: text},
        ".svg": {"Date": None, "Creator": KEY, "Description": text},
        ".pdf": {"CreationDate": None, "Creator": KEY, "Producer": KEY, "Subject": text},
    }[path.suffix]
    # In memory: where a disk refuses, matplotlib goes on and raises something else.
    image = io.BytesIO()
    with styled():
        figure.savefig(image, format=path.suffix[1:], metadata=metadata)
    path.write_bytes(image.getvalue())


def record_json(record: Mapping[str, Any]) -> str:
    """Return the one text of a record.

    Raises
    ------
    ValueError
        When something is missing in it.
    """
    lacking = [key for key in RECORD if not record.get(key)]
    for data in record.get("data", ()):
        lacking += [f"data.{key}" for key in DATA_RECORD if not data.get(key)]
    if lacking:
        raise ValueError(f"a figure needs its provenance, and has no {', '.join(lacking)}")
    return json.dumps(record, sort_keys=True, allow_nan=False)

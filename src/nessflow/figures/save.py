"""Figure files of the same bytes every time, with their provenance inside."""

import json
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from nessflow.figures.style import styled

KEY = "nessflow"


def save(figure: Figure, path: Path, provenance: Mapping[str, str]) -> None:
    """Write a figure as svg, pdf or png.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : Path
        Its suffix says the format.
    provenance : mapping
        Stored as JSON: PNG text ``nessflow``, SVG description, PDF subject.

    Raises
    ------
    ValueError
        When the provenance is empty.
    """
    if not provenance:
        raise ValueError("a figure needs its provenance")
    record = json.dumps(dict(provenance), sort_keys=True)
    metadata = {
        ".png": {"Software": None, KEY: record},
        ".svg": {"Date": None, "Creator": KEY, "Description": record},
        ".pdf": {"CreationDate": None, "Creator": KEY, "Producer": KEY, "Subject": record},
    }[path.suffix]
    with styled():
        figure.savefig(path, format=path.suffix[1:], metadata=metadata)

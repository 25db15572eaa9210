"""Pages of the site that are made when it is built: the gallery, and the keys of kinds and parts.

The gallery has all figures of the folder ``results`` where it has some, else the small pictures of
``docs/images/gallery``, which ``python docs/made_pages.py`` makes anew from ``results``.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nessflow.config.project import load_study
from nessflow.figures.record import KEY
from nessflow.registry import kind_names
from nessflow.verbs.describe import describe_kind, describe_part, part_names

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "results"
KEPT = DOCS / "images" / "gallery"
CHOSEN = (
    "disorder-current/current",
    "disorder-current/mean-square",
    "skin-effect-spectra/spectra",
    "conductance-steps/steps",
    "beam-splitter/splitting",
    "point-contact/noise",
    "hall-bar/hall",
    "ssh-gain/wire",
    "conductance-size/conductance",
    "one-dimer-size/oscillation",
    "third-order-roots/roots",
    "nonreciprocal-phases/current",
    "rashba-current-orbit/current",
    "rashba-current/current",
    "mixture-uncertainty/uncertainty",
    "mixture-transferred-charge/distribution",
    "two-site-transmission/transmission",
    "non-markovianity-temperatures/map",
)
"""Figures that are kept in the repository."""
WIDTH = 560
"""Of a small picture, in pixels."""


def write_all(folder: Path) -> None:
    """Write all pages into a folder below ``docs``."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    pages = {"gallery": gallery(folder), "kinds": kinds(), "keys": keys()}
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text)


def kept_name(study: str, figure: str) -> str:
    """Return the name of a small picture."""
    return f"{study}.{figure}.png"


def figures_of(study: str) -> Iterator[tuple[str, Path]]:
    """Yield name and picture of each figure of a study that is there."""
    yield from ((path.stem, path) for path in sorted((RESULTS / study / "figures").glob("*.png")))


def shrink(path: Path, small: Path) -> None:
    """Write a small picture, with the record of the figure that it is of."""
    with Image.open(path) as picture:
        information = PngInfo()
        information.add_text(KEY, picture.text[KEY])
        size = (WIDTH, round(picture.height * WIDTH / picture.width))
        reduced = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize(64)
        reduced.save(small, optimize=True, pnginfo=information)


def gallery(folder: Path) -> str:
    """Return the page of all figures, in the sections of the page on the studies."""
    has_results = any(RESULTS.glob("*/figures/*.png"))
    lines = ["# Gallery", "", "Figures of the built-in studies, as a run draws them."]
    if not has_results:
        lines += ["A site that is built beside results, after `make run`, has all of them."]
    for section in (DOCS / "studies.md").read_text().split("\n## ")[1:]:
        cells = re.findall(r"^\|[^|]*\| *((?:`[a-z0-9-]+`(?:, )?)+) *\|", section, re.M)
        studies = [name for cell in cells for name in re.findall("`([^`]+)`", cell)]
        entries = []
        for study in dict.fromkeys(studies):
            if has_results:
                for figure, path in figures_of(study):
                    small = folder / kept_name(study, figure)
                    shrink(path, small)
                    entries.append((study, figure, small))
            else:
                kept = sorted(KEPT.glob(f"{study}.*.png"))
                entries += [(study, path.name.split(".")[1], path) for path in kept]
        if entries:
            lines += ["", f"## {section.splitlines()[0]}", "", "````{container} gallery"]
            for study, figure, path in entries:
                title = load_study(DOCS.parent / "config" / "studies" / f"{study}.yaml").title
                lines += [
                    f"```{{figure}} /{path.relative_to(DOCS)}",
                    f":alt: {title}",
                    f"{title}<br>`{study}`, {figure}",
                    "```",
                ]
            lines += ["````"]
    return "\n".join([*lines, ""])


def kinds() -> str:
    """Return the page of all kinds of study, as ``nessflow describe`` says them."""
    lines = ["# Kinds of study", "", "What `nessflow describe KIND` says of each."]
    for name in kind_names():
        lines += ["", f"## {name}", "", "```text", describe_kind(name).rstrip(), "```"]
    return "\n".join([*lines, ""])


def keys() -> str:
    """Return the page of all parts, as ``nessflow describe`` says them."""
    lines = ["# Parts and their keys", "", "What `nessflow describe PART` says of each."]
    for name in sorted(part_names()):
        text = describe_part(name, None)
        if text:
            lines += ["", f"## {name}", "", "```text", text.rstrip(), "```"]
    return "\n".join([*lines, ""])


def keep() -> None:
    """Make the small pictures of the repository anew."""
    for chosen in CHOSEN:
        study, figure = chosen.split("/")
        shrink(RESULTS / study / "figures" / f"{figure}.png", KEPT / kept_name(study, figure))


if __name__ == "__main__":
    keep()

"""The report as one HTML file that needs no server and no network."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bokeh.resources import Resources
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent


def page(content: Mapping[str, Any]) -> str:
    """Return the HTML of the report; every text in ``content`` is escaped.

    The page's own scripts run and no others: the browser is told their hashes.  Those that plot
    are text until the first plot is asked for.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    script, later = (_FOLDER / "page.js").read_text(encoding="utf-8"), _plotting()
    return environment.get_template("page.html").render(
        **content,
        style=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        later=[Markup(text) for text in later],
        script_hashes=" ".join(_source_hash(text) for text in (script, *later)),
    )


def number(value: float) -> str:
    """Return a number with three digits, a dash where there is none."""
    return "–" if value != value else f"{value:.3g}"


def _plotting() -> list[str]:
    """Return the scripts of Bokeh, which may hold no end tag of the element they stand in."""
    found = Resources(mode="inline", components=["bokeh", "bokeh-api"], log_level="error").js_raw
    return [script.replace("</script", "<\\/script") for script in found]


def _source_hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"

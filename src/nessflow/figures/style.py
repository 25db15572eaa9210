"""The one style of all figures, whatever the user's own settings are."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib

STYLE = Path(__file__).with_name("paper.mplstyle")


@contextmanager
def styled() -> Iterator[None]:
    """Draw with matplotlib's defaults and the style file."""
    settings = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")}
    settings |= matplotlib.rc_params_from_file(STYLE, use_default_template=False)
    with matplotlib.rc_context(settings):
        yield

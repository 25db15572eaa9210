"""Pages of the documents run from top to bottom and print what they say."""

import matplotlib
import pytest

from nessflow.registry import use_project
from pages import page, run_page


@pytest.mark.parametrize("name", ["tutorial.md"])
def test_the_page_runs_as_it_is_printed(name, tmp_path):
    matplotlib.use("Agg")
    try:
        run_page(page(name), tmp_path)
    finally:
        use_project(tmp_path)

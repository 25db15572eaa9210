"""Pages of the documents run from top to bottom and print what they say."""

import matplotlib

from nessflow.registry import use_project
from pages import page, run_page


def test_the_tutorial_and_its_archive(tmp_path):
    matplotlib.use("Agg")
    try:
        run_page(page("tutorial.md"), tmp_path)
        run_page(page("archive.md"), tmp_path / "lossy-wire")
    finally:
        use_project(tmp_path)

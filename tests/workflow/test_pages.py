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


def test_the_fits(tmp_path):
    matplotlib.use("Agg")
    (tmp_path / "config" / "studies").mkdir(parents=True)
    try:
        run_page(page("fits.md"), tmp_path)
    finally:
        use_project(tmp_path)
    pictures = {path.name for path in tmp_path.glob("results/peak/figures/*.png")}
    assert pictures == {"fit.png"}

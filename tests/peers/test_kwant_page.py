"""The page for those who come from Kwant runs as it is printed."""

from nessflow.registry import use_project
from pages import page, run_page


def test_the_page_runs_as_it_is_printed(tmp_path):
    try:
        run_page(page("from-kwant.md"), tmp_path)
    finally:
        use_project(tmp_path)

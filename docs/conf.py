"""Settings of the site, which `make site` builds without network and without warnings."""

import sys
from pathlib import Path

import nessflow

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import made_pages  # noqa: E402

project = "nessflow"
author = "nessflow contributors"
release = nessflow.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "images"]
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]
highlight_language = "none"

nb_execution_mode = "auto"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

default_role = "py:obj"
# Names such as `sites` in docstrings, which several classes have, are no links.
suppress_warnings = ["ref.python"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_inherit_docstrings = False
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "nessflow"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False


def setup(app):
    """Make the pages that come from code and figures; the front page of the site is the README."""
    app.connect("builder-inited", lambda app: made_pages.write_all(HERE / "_made"))
    app.connect("source-read", lambda app, name, text: text.__setitem__(0, at_home(text[0])))


def at_home(text: str) -> str:
    """Return a page whose links to the README lead to the front page, which holds it."""
    return text.replace("](../README.md", "](index.md")

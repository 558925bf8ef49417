"""The site: `make site` builds it. The pages are Markdown in this folder, and are read as well where the repository is.

Sphinx reads the repository from its top, so that links between `docs/`, `counterexamples/` and the files beside them
lead somewhere in both places.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tools")]

from postcopy.version import __version__  # noqa: E402

project = "postcopy-mc"
author = "the authors of postcopy-mc"
release = version = __version__
html_title = f"postcopy-mc {__version__}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "documentation.site"]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "docs/schemas/*.json",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "counterexamples/*.md",
    "contrib/*/README.md",
]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 6  # the anchors that GitLab and GitHub give to headings
suppress_warnings = [
    "myst.header",  # a glossary and the lists of bugs begin below a heading of the second level, for their size
    "misc.highlighting_failure",  # an excerpt need not be a whole program
]
smartquotes = False  # two hyphens are an option, and no dash
default_role = "code"  # a single backtick in a docstring, as in Markdown
napoleon_use_ivar = True  # attributes that a docstring lists, beside those that have one of their own
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
nitpick_ignore_regex = [("py:.*", ".*")]  # a signature names types that the reference leaves out; pages stay checked

html_theme = "furo"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}
pygments_style = "friendly"

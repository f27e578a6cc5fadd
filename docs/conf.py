"""How Sphinx builds the site: `nox -s docs`."""

from __future__ import annotations

import nox_lock

project = "nox-lock"
author = "The nox-lock authors"
project_copyright = "the nox-lock authors"
release = version = nox_lock.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore = [("py:class", name) for name in ("Func", "RawFunc", "Project", "nox.Session")]
myst_heading_anchors = 3
# Files of the repository beside docs/ are offered as they are.
autodoc_typehints = "description"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "nox-lock"
html_copy_source = False

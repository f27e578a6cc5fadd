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
# Types that are not documented on the site.
HIDDEN = (
    "Func",
    "Place",
    "ProjectInstall",
    "RawFunc",
    "collections.abc.Sequence",
    "nox.Session",
)
nitpick_ignore = [("py:class", name) for name in HIDDEN]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "nox-lock"
html_copy_source = False

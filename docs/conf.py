"""The settings of the documentation site: `make docs` builds it into build/docs."""

from __future__ import annotations

from gridsim.version import __version__

project = "gridsim"
author = "the gridsim authors"
copyright = f"2026, {author}"
release = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["README.md"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Quotation marks in settings are those of TOML.
smartquotes = False

html_theme = "furo"
html_title = f"gridsim {release}"
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"

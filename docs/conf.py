"""Sphinx's configuration of the docs site: `python3 dev.py docs` builds it from these pages."""

from pathlib import Path

PROJECT = Path(__file__).parents[1]

project = "PyAirbyte telemetry"
author = "the project's authors"
extensions = ["myst_parser"]
exclude_patterns = ["**/.*", "build"]
html_theme = "furo"
html_title = project
html_show_copyright = False
html_show_sourcelink = False
# Headings get the anchors that source hosts give them, so that links work on both.
myst_heading_anchors = 4
# A link to a file of the code cannot work on the site; on a source host it does.
suppress_warnings = ["myst.xref_missing"]

"""How `make docs` builds the documents: the repository's Markdown as it is, into build/docs."""

from batonbox_server import __version__

project = "batonbox"
author = "batonbox contributors"
copyright = author  # noqa: A001
version = release = __version__

# The source is the repository itself, so that a link between README, docs/ and the rest is the same
# here as where the repository is read.
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "deploy/**.md", "examples/**.md"]
exclude_patterns = [
    ".*",
    "**/.*",
    "**/node_modules",
    "build",
    "client_sdk",
    "data",
    "dist",
    "docs/*.in.md",  # what other pages are made from
    "server",
    "tests",
]

extensions = ["myst_parser"]
myst_heading_anchors = 4
nitpicky = True
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]  # dotenv, valkey: shown plainly

html_theme = "furo"
html_title = f"batonbox {release}"
html_extra_path = ["_root"]
html_static_path = ["_static"]
html_css_files = ["own.css"]
html_copy_source = False
html_show_sourcelink = False

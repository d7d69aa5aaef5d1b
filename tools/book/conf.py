"""Sphinx's settings for the book; see tools/book/site.py."""

from importlib.resources import files
from pathlib import Path

HERE = Path(__file__).parent
# One file with everything, from a wheel that holds nothing else.
MATHJAX = str(files("sphinx-mathjax-offline") / "static/mathjax/tex-svg.js")

project = "Attention pooling"
html_title = project
extensions = [
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
suppress_warnings = ["myst.header"]  # a lesson may go from ## to ####
nitpicky = True

html_theme = "furo"
html_static_path = [str(HERE / "static"), MATHJAX]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
mathjax_path = "tex-svg.js"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_search_summary = False  # would load pages, which files cannot
# Printed text is no code to copy.
copybutton_selector = "div.cell pre"


# Of furo, and of book.css: light, dark.
COLOURS = {
    "color-brand-primary": ("#00598c", "#6cbcf0"),
    "color-brand-content": ("#00598c", "#6cbcf0"),
    "color-brand-visited": ("#00598c", "#6cbcf0"),
    "code": ("#f5f7f9", "#22262b"),
    "edge": ("#d4d9de", "#3d444d"),
    "seen": ("#eef6f1", "#15241d"),
    "seen-edge": ("#2f7d5b", "#58b88c"),
    "predict": ("#fdf5e6", "#2a2213"),
    "predict-edge": ("#a86a00", "#e0a84a"),
}
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {name: c[0] for name, c in COLOURS.items()},
    "dark_css_variables": {name: c[1] for name, c in COLOURS.items()},
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

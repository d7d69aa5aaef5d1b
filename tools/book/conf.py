"""Sphinx's settings for the book; `make book` fills the source folder."""

from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
# One file with everything, from a wheel that holds nothing else.
MATHJAX = Path(find_spec("sphinx-mathjax-offline").origin).parent

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
html_static_path = [
    str(HERE / "static"),
    str(MATHJAX / "static" / "mathjax" / "tex-svg.js"),
]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
mathjax_path = "tex-svg.js"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_search_summary = False  # would load pages, which files cannot
# Printed text is no code to copy.
copybutton_selector = "div.cell pre"

BLUE, LIGHT_BLUE = "#00598c", "#6cbcf0"
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {
        "color-brand-primary": BLUE,
        "color-brand-content": BLUE,
        "color-brand-visited": BLUE,
    },
    "dark_css_variables": {
        "color-brand-primary": LIGHT_BLUE,
        "color-brand-content": LIGHT_BLUE,
        "color-brand-visited": LIGHT_BLUE,
    },
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

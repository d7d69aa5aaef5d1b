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


def colours(brand, code, edge, seen, predict):
    """Return the variables of a page's colours: furo's, and book.css's own."""
    names = "primary", "content", "visited"
    furo = {f"color-brand-{name}": brand for name in names}
    own = {"code": code, "edge": edge}
    own |= {"seen": seen[0], "seen-edge": seen[1]}
    own |= {"predict": predict[0], "predict-edge": predict[1]}
    return furo | own


html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": colours(
        brand="#00598c",
        code="#f5f7f9",
        edge="#d4d9de",
        seen=("#eef6f1", "#2f7d5b"),
        predict=("#fdf5e6", "#a86a00"),
    ),
    "dark_css_variables": colours(
        brand="#6cbcf0",
        code="#22262b",
        edge="#3d444d",
        seen=("#15241d", "#58b88c"),
        predict=("#2a2213", "#e0a84a"),
    ),
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

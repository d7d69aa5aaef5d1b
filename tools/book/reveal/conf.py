"""Sphinx's settings for the slides; see tools/book/slides.py."""

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator
from sphinx_revealjs.writers import RevealjsSlideTranslator

from tools.book.conf import MATHJAX

project = "Attention pooling"
language = "en"
extensions = ["myst_parser", "sphinx_revealjs", "sphinx.ext.mathjax"]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
nitpicky = True
html_copy_source = False
pygments_style = "a11y-high-contrast-light"

mathjax_path = "tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}
revealjs_html_theme = "revealjs-simple"
revealjs_style_theme = "slides.css"
revealjs_css_files = ["pygments.css"]
revealjs_static_path = [str(Path(__file__).parent / "static"), MATHJAX]
revealjs_script_plugins = [
    {"name": "RevealNotes", "src": "revealjs/plugin/notes/notes.js"}
]
revealjs_script_conf = {
    "width": 1280,
    "height": 720,
    "margin": 0,
    "center": False,
    "hash": True,
    "slideNumber": "c/t",
    "transition": "none",
    "display": "flex",
    "pdfSeparateFragments": False,
    "scrollActivationWidth": None,
}


class Translator(RevealjsSlideTranslator):
    """Code highlighted while building, as in the book, not while showing."""

    visit_literal_block = HTML5Translator.visit_literal_block
    depart_literal_block = HTML5Translator.depart_literal_block


def setup(app: Sphinx) -> None:
    """Let it translate the slides."""
    app.set_translator("revealjs", Translator)

"""The book: pages and slides, made of the sources and executed notebooks.

``pages`` turns a lesson into a page and ``slides`` into a deck, ``site`` adds
what else a book has, ``agreement_page`` compares what the notebooks show, and
``files`` lets Sphinx (``conf.py``, ``reveal/conf.py``) do the rest. ``static``
holds what runs in the reader's browser.
"""

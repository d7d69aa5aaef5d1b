"""The book: pages for readers, made of the sources and executed notebooks.

``lessons`` turns a lesson and its notebooks into a MyST page, ``agreement``
compares what the notebooks show, ``__main__`` puts all files in their place
and lets Sphinx (``conf.py``) do the rest. ``static`` holds what runs in the
reader's browser.
"""

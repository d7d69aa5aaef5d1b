"""What the reader of a lesson takes in hand: self-checks, and a live figure.

The figure needs anywidget, so it is imported by itself::

    from handson import check
    from handson.live import Live
"""

from handson.selfcheck import check

__all__ = ["check"]

"""Printed text split into its words and its numbers."""

import re

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def printed_numbers(text):
    """Return the text with # for each number, and the numbers."""
    values = [float(found) for found in NUMBER.findall(text)]
    return NUMBER.sub("#", text), values

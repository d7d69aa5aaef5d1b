"""From a source to notebooks that are right."""

"""A JupyterHub for a class on one machine; README.md here says how."""

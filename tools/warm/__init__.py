"""Kernels forked from a process that has imported the libraries: fast.

``python -m tools.warm make nbval`` runs a command in a *session*: kernels
named ``python3`` that it starts are forked from a *zygote*, a process that has
executed the imports at the head of the notebook and nothing else. README.md
tells what is equal to a fresh kernel, and what is not.
"""

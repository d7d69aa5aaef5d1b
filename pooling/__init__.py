"""Attention pooling with a Gaussian kernel, without the matrix of weights.

Each framework has a module, which alone imports it. Lesson 05 has the ideas::

    from pooling.pytorch import attention_pooling  # or numpy, jax, ...
    from pooling.binned import binned_pooling  # NumPy, within a tolerance
"""

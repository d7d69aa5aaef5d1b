"""Attention pooling with a Gaussian kernel, without the matrix of weights.

Each framework has a module of its own, which alone imports it::

    from pooling.pytorch import attention_pooling  # numpy, tensorflow, mxnet
    from pooling.binned import binned_pooling  # NumPy, within a tolerance

Lesson 05 explains the ideas: a softmax that is safe, few queries at a time, and
a grid with an FFT. Nothing here is needed by the lessons.
"""

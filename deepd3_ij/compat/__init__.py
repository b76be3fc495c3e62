"""The names of DeepD3's user guide over this package's functions.

``deepd3_ij.compat.core.analysis`` is what the guide calls ``deepd3.core.analysis``, and so on: a script
changes its import line. What differs from the original is said in each docstring.
"""

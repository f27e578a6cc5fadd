"""The border to nox: decorator, commands, their options, and the one place that shows errors.

The only package that imports nox.
"""

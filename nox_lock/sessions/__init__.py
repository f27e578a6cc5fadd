"""The border to nox: decorator, commands, their options, and the one error boundary.

The only package that imports nox.
"""

"""The only package that imports nox: decorator, commands, their options, the one error boundary."""

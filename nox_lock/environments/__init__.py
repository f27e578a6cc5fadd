"""What is installed in a virtual environment, against its lock files; makes them match.

Nothing here knows nox: pip or uv is handed in as an `Installer`.
"""

"""The driver: our code inside pip-tools' own process, which makes one lock file.

It runs as a script, isolated from the project and every site-packages, and imports nothing else of
nox-lock: Python 3.10, its library, pip and pip-tools, whose insides `touch_points` lists.
"""

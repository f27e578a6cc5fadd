"""The driver: our code inside pip-tools' own process, which makes one lock file.

It runs as a script (``__main__.py``), isolated from the project folder and every site-packages.
Only this folder knows insides of pip and pip-tools: `touch_points` lists each of them. Standard
library and Python 3.10 alone: nothing else of nox-lock may be imported here.
"""

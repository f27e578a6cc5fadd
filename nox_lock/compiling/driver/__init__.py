"""The driver: our code inside pip-tools' own process, which makes one lock file.

It sets the target, takes hashes from the index pages that pip reads anyway, and reports what
happened as data. It runs as a script (``__main__.py``), isolated from the project folder and every
site-packages, by the target's Python if that is installed and works, else by the one that runs
nox. Only this folder knows insides of pip and pip-tools: `touch_points` lists each of them.

Standard library and Python 3.10 alone: nothing else of nox-lock may be imported here.
"""

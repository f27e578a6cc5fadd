"""The driver: our code inside pip-tools' own process, which imports nothing else of nox-lock."""

"""From a planned lock file to its verdict.

Pure: no process, no write, no network.
"""

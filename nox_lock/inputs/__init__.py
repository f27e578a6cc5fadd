"""What people write, read into `Inputs`: every entry with its file and line.

Requirements files, pyproject.toml and local projects; nothing here knows lock files.
"""

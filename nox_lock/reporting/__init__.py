"""From results to lines, JSON, Markdown and annotations.

Nothing here decides anything about a lock file.
"""

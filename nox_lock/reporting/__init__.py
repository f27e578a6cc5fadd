"""From results to lines, JSON, Markdown and annotations; nothing here decides about a lock file."""

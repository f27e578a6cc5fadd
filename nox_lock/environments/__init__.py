"""What a virtual environment holds, compared with its lock files; make them equal, and prove it."""

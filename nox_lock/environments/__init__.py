"""Compare what is installed in an environment with its lock files; make it match, and verify it."""

"""From configuration, inputs and files to the lock files that must exist, in their order.

Nothing here judges, writes or compiles a lock file.
"""

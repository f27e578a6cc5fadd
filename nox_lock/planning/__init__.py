"""From configuration, inputs and files to the lock files that must exist, in their order."""

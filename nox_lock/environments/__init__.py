"""What is installed in an environment, against its lock files; pip or uv is a given `Installer`."""

"""What the tests stand on: handmade wheels, an index that serves them, projects to run nox in."""

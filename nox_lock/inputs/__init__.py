"""What people write, read into `Inputs`: every entry with its place. It knows no lock files."""

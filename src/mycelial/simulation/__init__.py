"""A market with people in it."""

"""The standard's protocol as its caller."""

"""The signing services under load."""

"""The HTTP edge (ASGI)."""

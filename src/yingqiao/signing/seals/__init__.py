"""Electronic seals: judged, and on PDF."""

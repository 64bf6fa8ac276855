"""Storage Commitment Push Model SCP (PS3.4 annex J)."""

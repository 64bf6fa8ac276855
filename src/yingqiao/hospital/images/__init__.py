"""Images at the hospital: forwarded as they come, or listed where they lie; and their series, for queries."""

"""A simulated hospital: one realistic day as plain records, with what should become of each, and its
sending."""

"""What must survive a power cut: database, objects, landing area."""

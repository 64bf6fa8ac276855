"""The connector's memory: what was read, what is still to be sent, what was refused. One SQLite file."""

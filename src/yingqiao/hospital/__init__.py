"""The hospital's side: simulated hospital, later the connector."""

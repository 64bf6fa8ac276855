"""Certificates of people and units: what is issued, what state each is in, how it comes to the phone."""

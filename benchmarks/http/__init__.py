"""Intake over HTTP: durable records a second, beside the same server without a store."""

"""Intake over HTTP: durable records a second beside the same server without a store, and beside a naive one."""

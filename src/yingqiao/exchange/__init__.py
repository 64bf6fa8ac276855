"""The journey of a record, as pure decisions: receive, open, validate, record, link, timeline."""

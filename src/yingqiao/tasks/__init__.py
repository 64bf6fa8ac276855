"""What the gateway does by itself, one module per step: the handlers of background work and what they are made of.

`fetching` (URL lists, PDFs) keeps through `keeping`; `relay` makes work of what was received; `pulling` (Q/R)
retrieves through `retrieving` and `pacs_client`; `commitments` tells results; `pacs_doctor` says which side of a
PACS link is wrong. Each takes what it needs as arguments: `app.work` joins them to the engine.
"""

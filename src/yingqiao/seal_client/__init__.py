"""The seal client of a doctor's desk: sealing report PDFs in the browser beside the PACS (四(二)4(6)), ADR 15."""

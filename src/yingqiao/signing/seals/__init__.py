"""Electronic seals: made, applied to PDF files, judged."""

"""Seals in PDF files: found and examined (`reading`), applied by incremental update (`writing`). Bytes in, bytes out.

pyHanko is the plumbing: cross-reference tables with their history, incremental writing, difference analysis, RSA signatures.
pdfium renders and finds words. Nothing here takes part in SM2: a seal's content is `gm.ses`'s.
Whoever reads a file of somebody else does it in a bounded process (`yingqiao.sandbox`).
"""

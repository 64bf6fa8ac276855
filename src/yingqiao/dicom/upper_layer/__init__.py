"""The DICOM upper layer (PS3.8) and message exchange (PS3.7): bytes in, decisions out; sockets only in
`wire`.
"""

"""The kinds of source a connector reads: database views, folders of files, HL7 messages."""

from yingqiao.hospital.sources.opening import open_source

__all__ = ["open_source"]

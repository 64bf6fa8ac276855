"""The guarded fetcher: files and documents from a hospital's addresses, by http(s), ftp(s), sftp, s3, file."""

from yingqiao.client.fetch.fetcher import Fetcher
from yingqiao.client.fetch.model import FetchedFile, FetchRequest, FetchSettings, Sink
from yingqiao.client.fetch.spool import sweep

__all__ = ["FetchRequest", "FetchSettings", "FetchedFile", "Fetcher", "Sink", "sweep"]

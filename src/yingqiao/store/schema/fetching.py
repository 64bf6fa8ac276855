"""Images by every other way: hosts, lists of addresses, Q/R services."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from yingqiao.store.schema.base import metadata, row_id

fetch_hosts = Table(  # where a hospital's URLs may lead; nothing else is ever fetched
    "fetch_hosts",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False),
    Column("scheme", String, nullable=False),  # http | https | ftp | ftps | sftp | s3 | file
    Column("host", String, nullable=False),  # name, address or CIDR; of s3 the bucket; of file ''
    Column("port", Integer, nullable=False),  # 0 = the scheme's own
    Column("root", String, nullable=False),  # path prefix; of file the folder
    Column("private", Boolean, nullable=False),  # may resolve to private, loopback or link-local addresses
    Column("path_encoding", String, nullable=False),  # utf-8 | gb18030: of characters outside ASCII in paths
    Column(
        "options", Text, nullable=False
    ),  # JSON: region, endpoint, TLS CA or fingerprint, headers' names …
    Column("sealed", LargeBinary),  # JSON of user, password, access key …, under the master key
    Column("destination", ForeignKey("work_destinations.name"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("hospital_code", "scheme", "host", "port", "root"),
)

image_lists = Table(  # one series' list of addresses (/images/list); upsert by SERIESIUID (T95)
    "image_lists",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", String, nullable=False),
    Column("series_uid", String, nullable=False),
    Column("study_uid", String, nullable=False),
    Column("accession_number", String, nullable=False),
    Column("patient_id", String, nullable=False),
    Column("patient_name", String, nullable=False),
    Column("modality", String, nullable=False),
    Column("study_date", String, nullable=False),
    Column("submission_id", BigInteger, nullable=False),  # the last that named it
    Column("first_received_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("relay_due", Boolean, nullable=False),  # has files no work was made for yet
    UniqueConstraint("hospital_code", "series_uid"),
    Index("ix_image_lists_relay_due", "relay_due", "id"),
    Index("ix_image_lists_study", "study_uid"),
    Index("ix_image_lists_accession", "hospital_code", "accession_number"),
)

image_files = Table(  # one address of a list, and what became of it
    "image_files",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("list_id", ForeignKey("image_lists.id"), nullable=False),
    Column("url_digest", LargeBinary, nullable=False),  # SHA-256 of the address as sent
    Column("url", Text, nullable=False),
    Column("state", String, nullable=False),  # exchange.fetch.FileState
    Column("attempts", Integer, nullable=False),
    Column("error_class", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sop_uids", Text, nullable=False),  # comma list of what was in it
    Column("instance_count", Integer, nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("digest", LargeBinary),  # SHA-256 of the file as fetched; none when it is one instance
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("list_id", "url_digest"),
    Index("ix_image_files_state", "list_id", "state", "id"),
)

pacs_nodes = Table(  # a hospital's Q/R service
    "pacs_nodes",
    metadata,
    Column("id", row_id, primary_key=True, autoincrement=True),
    Column("hospital_code", ForeignKey("hospitals.code"), nullable=False),
    Column("name", String, nullable=False),
    Column("ae_title", String, nullable=False),
    Column("host", String, nullable=False),
    Column("port", Integer, nullable=False),
    Column("calling_aet", String, nullable=False),  # '' = the gateway's own
    Column("retrieve_by", String, nullable=False),  # auto | move | get
    Column("charset", String, nullable=False),  # of queries: '' = GB18030 when needed
    Column("options", Text, nullable=False),  # JSON: exchange.pull.PacsOptions
    Column("disabled", Boolean, nullable=False),
    Column("destination", ForeignKey("work_destinations.name"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("hospital_code", "name"),
)

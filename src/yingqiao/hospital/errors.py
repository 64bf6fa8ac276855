"""What keeps a connector from starting or going on; the texts are Chinese and name no secret."""

from __future__ import annotations


class ConnectorError(Exception):
    """The connector cannot go on."""


class ConfigError(ConnectorError):
    """hospital.toml is wrong: the text names file and key."""


class SpoolError(ConnectorError):
    """The spool cannot be opened: another program's file, a newer program's, or in use."""


class SpoolFullError(ConnectorError):
    """The spool has reached its limit; nothing more is taken until the gateway has taken some."""

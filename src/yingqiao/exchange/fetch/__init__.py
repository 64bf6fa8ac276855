"""What may be fetched from a hospital's addresses, and what became of it: pure decisions."""

from yingqiao.exchange.fetch.address import PORTS, Address, parse_address
from yingqiao.exchange.fetch.hosts import (
    AllowedHost,
    Credentials,
    HostOptions,
    OptionsError,
    choose,
    how_to_register,
)
from yingqiao.exchange.fetch.networks import why_forbidden
from yingqiao.exchange.fetch.sniff import KIND_NAMES, Kind, sniff
from yingqiao.exchange.fetch.states import FILE_STATE_NAMES, FetchError, FileState, state_of

__all__ = [
    "FILE_STATE_NAMES",
    "KIND_NAMES",
    "PORTS",
    "Address",
    "AllowedHost",
    "Credentials",
    "FetchError",
    "FileState",
    "HostOptions",
    "Kind",
    "OptionsError",
    "choose",
    "how_to_register",
    "parse_address",
    "sniff",
    "state_of",
    "why_forbidden",
]

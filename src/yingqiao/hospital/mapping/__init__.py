"""From a hospital's own columns and codes to the standard's fields, by declaration."""

from yingqiao.hospital.mapping.errors import ConfigError, TransformError, nearest
from yingqiao.hospital.mapping.load import KEY_FIELDS, load_mapping, unmapped
from yingqiao.hospital.mapping.plain import BEIJING, plain
from yingqiao.hospital.mapping.rules import Mapped, Row, Rule, TableMapping, Tally

__all__ = [
    "BEIJING",
    "KEY_FIELDS",
    "ConfigError",
    "Mapped",
    "Row",
    "Rule",
    "TableMapping",
    "Tally",
    "TransformError",
    "load_mapping",
    "nearest",
    "plain",
    "unmapped",
]

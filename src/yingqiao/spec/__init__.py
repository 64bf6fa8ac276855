"""The standard as data: what an edition's tables, code lists, conditions and messages say. No behaviour."""

from yingqiao.spec.load import SpecError, load_edition
from yingqiao.spec.model import Code, CodeList, Condition, Edition, Field, Interface, Required, Table

__all__ = [
    "Code",
    "CodeList",
    "Condition",
    "Edition",
    "Field",
    "Interface",
    "Required",
    "SpecError",
    "Table",
    "load_edition",
]

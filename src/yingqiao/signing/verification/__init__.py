"""Verification of signatures, time stamps and certificates: facts, then policy (data), then a report.

The facts are `gm`'s: what the bytes say. `policy` says what weighs how. `report` is the answer in three depths.
"""

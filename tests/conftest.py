"""Fixtures of all tests. Each real peer has a module in tests/peers with its fixtures."""

from pathlib import Path

pytest_plugins = [f"tests.peers.{module.stem}" for module in Path(__file__).parent.glob("peers/[a-z]*.py")]

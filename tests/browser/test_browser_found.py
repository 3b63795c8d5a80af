"""Where there is no browser the tests skip with a reason; in CI they fail with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.lab import REPOSITORY

ONE = "def test_one(desk): desk.open(['1'])"


def run_without_browser(folder: Path, ci: str) -> subprocess.CompletedProcess[str]:
    """Run a test that asks for this folder's fixtures where the PATH is one empty folder."""
    (folder / "test_one.py").write_text(ONE)
    fixtures = ("--noconftest", "-p", "tests.browser.conftest")  # without the package: quickly
    settings = ("-c", str(REPOSITORY / "pyproject.toml"), "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "-q", *settings, *fixtures]
    return subprocess.run(
        [*command, str(folder / "test_one.py")],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": str(folder), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("ci", "outcome", "code"), [("", "1 skipped", 0), ("true", "1 error", 1)])
def test_a_missing_browser_is_a_skip_and_in_ci_a_failure(
    ci: str, outcome: str, code: int, tmp_path: Path
) -> None:
    done = run_without_browser(tmp_path, ci)
    assert outcome in done.stdout
    assert "no browser: none of chromium" in done.stdout
    assert done.returncode == code

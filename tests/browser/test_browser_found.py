"""Where there is no browser the tests skip with a reason; in CI they fail with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("test_lab_harness.py")
ONE = f"{HARNESS}::test_the_page_asks_nothing_of_the_outside"


def run_without_browser(folder: Path, ci: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ONE]
    environment = {**os.environ, "PATH": str(folder), "CI": ci}
    return subprocess.run(
        command,
        cwd=HARNESS.parents[2],
        env=environment,
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

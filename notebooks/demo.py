"""Execute the quick start in a folder, print what it says, and say where the page is.

python notebooks/demo.py build
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("00_quick_start.ipynb")
PAGE = "decomposition.html"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the notebook runs and writes its page")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).unlink(missing_ok=True)
    print(f"Running {NOTEBOOK.name} on the embedded world.\n", flush=True)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute()
    nbformat.write(notebook, folder / NOTEBOOK.name)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stdout":
                print(output.text.rstrip() + "\n")
    page = folder / PAGE
    if not page.is_file():
        raise SystemExit(f"{NOTEBOOK.name} was expected to write {page} and did not")
    print(f"The executed notebook: {folder / NOTEBOOK.name}")
    print(f"The page to open in a browser, also without network: {page.resolve().as_uri()}")


if __name__ == "__main__":
    main()

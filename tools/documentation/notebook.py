"""Runs the tutorial's notebook as its reader does, and keeps what it prints: texts, and no pages.

`python -m documentation.notebook` runs it and writes it anew. A page that a result shows of itself has hundreds of
kilobytes, and the reader makes it by running the cell.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs/notebooks/tutorial.ipynb"
SECONDS = 300
"""Time that a cell may take on a machine that is busy."""

_TIMES = re.compile(r"\d+(\.\d+)? s(, [\d.]+ million states/s)?(?= \()")


def executed(path: Path = NOTEBOOK) -> Any:
    """The notebook after all of its cells were run, in a folder of its own, with all outputs.

    Args:
        path: the notebook.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises what it does not say.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": folder}}).execute()
    return notebook


def printed(notebook: Any) -> list[str]:
    """What each cell with code has printed or shown as a text, without times."""
    return [
        _TIMES.sub("TIME", "".join(_text(output) for output in cell.outputs))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _text(output: Any) -> str:
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))


def kept(notebook: Any) -> Any:
    """The notebook as it is kept: texts alone, and nothing that changes from run to run."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            for output in cell.outputs:
                if "data" in output:
                    output.data = {"text/plain": output.data["text/plain"]}
                output.pop("execution_count", None)
                if output.output_type == "execute_result":
                    output.execution_count = cell.execution_count
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


if __name__ == "__main__":
    nbformat.write(kept(executed()), NOTEBOOK)

"""Kernels that start in a moment: forks of one process that has imported torch and its like.

A notebook's own imports stay its own, for what a kernel does when it meets them (ipywidgets then
tells the page) is part of what is tested. JupyterLab starts `join.py`, which lives as long as its
kernel: the two are one process to it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

# in the folder where it works: whole paths may be too long for a socket
ADDRESS = "kernels.socket"
HEAVY = (
    *("torch", "torchvision", "scipy.stats", "scipy.sparse", "sklearn.linear_model"),
    *("pandas", "networkx", "PIL.Image", "safetensors.torch", "tqdm.auto"),
    *("ipykernel.kernelapp", "ipykernel.ipkernel", "IPython.core.interactiveshell"),
)


def spec(folder: Path) -> dict[str, Any]:
    """What `kernel.json` says of kernels of the process that works in this folder."""
    return {
        "argv": [
            *(sys.executable, "-S", "-E", str(Path(__file__).with_name("join.py"))),
            *(str(folder), ADDRESS, "{connection_file}"),
        ],
        "display_name": "Python 3",
        "language": "python",
        "interrupt_mode": "message",
    }


def serve() -> None:
    """Import what is heavy, and fork for everyone who joins, until this process is ended."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(ADDRESS)
    listener.listen()
    for name in HEAVY:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    while True:
        joined, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            begin(joined)
        joined.close()


def begin(joined: socket.socket) -> None:
    """Be the kernel that was asked for, and end when whoever asked has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    asked = json.loads(joined.makefile().readline())
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["ipykernel_launcher", "-f", asked["connection"]]
    threading.Thread(target=outlive, args=[joined], daemon=True).start()
    importlib.import_module("ipykernel.kernelapp").launch_new_instance()
    os._exit(0)


def outlive(joined: socket.socket) -> None:
    """Wait until the other side has ended, and end with it."""
    joined.recv(1)
    os._exit(0)


if __name__ == "__main__":
    serve()

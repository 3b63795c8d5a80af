"""Shapes and types in the package's signatures are checked at run time under pytest only."""

from __future__ import annotations

import gc
import importlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import jaxtyping
import pytest
import torch
from jaxtyping import install_import_hook

import tests.typecheck

jaxtyping.jaxtyped = tests.typecheck.jaxtyped
install_import_hook("hexplain_widgets", "tests.typecheck.checked")


def pytest_collection_finish() -> None:
    """What was imported stays: the collector need not walk it again in every test."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Weights drawn by a test or its fixtures are the same in every run and any order."""
    torch.default_generator.manual_seed(0)  # the function also writes down its caller, three times
    tests.typecheck.begin_test()


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Signatures go unchecked in this test, as they do for users: for tests of bad input."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """An interrupt raises KeyboardInterrupt, also where tests run side by side."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def _quick_workers(distributed: ModuleType) -> Iterator[None]:
    """Workers that start meanwhile are forks of one process that has imported all."""
    with importlib.import_module("dask").config.set(
        {"distributed.worker.multiprocessing-method": "forkserver"}
    ):
        server = distributed.utils.get_mp_context()
        server.set_forkserver_preload(["distributed", "hexplain_widgets", "tests.networks"])
        yield


@pytest.fixture(scope="session")
def client() -> Iterator[object]:
    """A Dask client, not the default one, of a cluster of two worker processes."""
    distributed = pytest.importorskip("distributed")
    with (
        _quick_workers(distributed),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client

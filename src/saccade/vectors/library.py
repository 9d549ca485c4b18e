"""Libraries that some index kinds are built on, loaded when such an index is made."""

import contextlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from saccade.errors import SettingError

INSTALL = {"faiss": "pip install faiss-cpu", "annoy": "pip install 'saccade[trees]'"}


def library(name: str, *, kind: str) -> Any:
    """Return a library as a module; raises SettingError, with the remedy, when it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise SettingError(
            f"index kind '{kind}' needs {name}, which is not installed; run: {INSTALL[name]}"
        ) from error


@contextlib.contextmanager
def faiss_threads(faiss: Any, threads: int) -> Iterator[None]:
    """Let faiss, whose number of threads is global, use ``threads`` of them for a while."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)

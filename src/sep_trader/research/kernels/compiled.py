"""Compile for the CPU where numba is installed; run as plain Python, slowly and with the same results, where not."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

try:
    import numba
except ImportError:
    HAVE_NUMBA = False
else:
    HAVE_NUMBA = True


def compiled(function: F) -> F:
    """Compile a function without the global lock and cache the machine code; leave it alone without numba."""
    if not HAVE_NUMBA:
        return function
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))

"""Compile for the CPU where numba is installed; run as plain Python, slowly and with the same results, where not."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

try:
    import numba
except ImportError:
    HAVE_NUMBA = False
else:
    HAVE_NUMBA = True


def compiled(function: F, *, allocates: bool = True) -> F:
    """Compile a function without the global lock and cache the machine code; leave it alone without numba.

    allocates: False for a function that makes no array and is called a million times: it is inlined, with numba's
    reference counting off. Passing arrays and counting references costs more than a trade.
    """
    if not HAVE_NUMBA:
        return function
    options: dict[str, Any] = {} if allocates else {"forceinline": True, "_nrt": False}
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function))


def calling(function: F, **others: Callable[..., Any]) -> F:
    """The same function, with other functions under the names that it calls: a target gives its own."""
    plain = cast(FunctionType, function)
    copy = FunctionType(plain.__code__, {**plain.__globals__, **others}, plain.__name__)
    copy.__qualname__, copy.__doc__ = plain.__qualname__, plain.__doc__
    copy.__module__ = plain.__module__
    return cast(F, copy)

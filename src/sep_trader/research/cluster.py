"""Independent calls spread over processes of this machine, or over a Dask or Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sep_trader.errors import InputError

R = TypeVar("R")
WAIT_SECONDS = 10
"""How long a cluster may take to answer and to show its first worker."""


def run_many(
    function: Callable[..., R],
    arguments: Sequence[tuple[Any, ...]],
    *,
    cluster: str | None = None,
    jobs: int = -1,
    finished: Callable[[int], None] = lambda _number: None,
) -> list[R]:
    """All of `run_each` at once. finished: called with i, in their order, as results come."""
    results: list[R] = []
    for result in run_each(function, arguments, cluster=cluster, jobs=jobs):
        finished(len(results))
        results.append(result)
    return results


def run_each(
    function: Callable[..., R], arguments: Sequence[tuple[Any, ...]], *, cluster: str | None = None, jobs: int = -1
) -> Iterator[R]:
    """Call `function(*arguments[i])` for every i in parallel; each result, in the order of the arguments, as it comes.

    cluster: None for processes of this machine, tcp://HOST:PORT for a Dask scheduler, ray://HOST:PORT for Ray. jobs:
    processes at once, -1 for all cores of the machine or the cluster. Workers need this package in the same version;
    the function must be one that can be pickled. An error of a call is raised here. Raises InputError for a cluster
    that is unknown, not reachable, without workers, or whose client is not installed.
    """
    if jobs == 0:
        raise InputError("0 jobs do nothing", "-1 for all cores")
    try:
        from joblib import Parallel, delayed
    except ImportError:
        raise InputError("joblib is not installed", "pip install 'sep-trader[research]'") from None
    with _backend(cluster):
        # No memory maps: they are read-only, and numba would compile every kernel once more for read-only arrays.
        calls = (delayed(function)(*one) for one in arguments)
        yield from Parallel(n_jobs=jobs, max_nbytes=None, return_as="generator")(calls)


@contextmanager
def _backend(cluster: str | None) -> Iterator[None]:
    """What joblib runs on inside the `with`."""
    from joblib import parallel_config

    if cluster is None:
        with parallel_config(backend="loky"):
            yield
    elif cluster.startswith("tcp://"):
        with _dask(cluster):
            yield
    elif cluster.startswith("ray://"):
        with _ray(cluster):
            yield
    else:
        raise InputError(f"unknown cluster '{cluster}'", "tcp://HOST:PORT for Dask or ray://HOST:PORT for Ray")


@contextmanager
def _dask(address: str) -> Iterator[None]:
    try:
        from distributed import Client
    except ImportError:
        raise InputError("Dask is not installed", "pip install 'sep-trader[cluster]'") from None
    try:
        client = Client(address, timeout=WAIT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler at {address}: {str(error).splitlines()[0]}", "is it running?") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=WAIT_SECONDS)
        except TimeoutError:
            raise InputError(f"the Dask cluster at {address} has no workers", f"dask worker {address}") from None
        from joblib import parallel_config

        with parallel_config(backend="dask", client=client):
            yield


@contextmanager
def _ray(address: str) -> Iterator[None]:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise InputError("Ray is not installed", "pip install 'ray[client]' here and on the cluster") from None
    try:
        ray.init(address=address)
    except ConnectionError as error:
        raise InputError(f"no Ray cluster at {address}: {str(error).splitlines()[0]}", "is it running?") from None
    try:
        from joblib import parallel_config

        register_ray()
        with parallel_config(backend="ray"):
            yield
    finally:
        ray.shutdown()

"""Work done ahead by threads, in order and never too far ahead.

In: a function and its inputs. Out: its results, in the order of the inputs. Promised: at most `ahead` results
wait to be taken, so that memory does not grow with the number of inputs; the first error ends it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Input = TypeVar("Input")
Result = TypeVar("Result")


@contextmanager
def worker_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads for one piece of work; after an error what has not begun is not begun any more."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def done_ahead(
    pool: ThreadPoolExecutor, function: Callable[[Input], Result], inputs: Iterable[Input], ahead: int
) -> Iterator[Result]:
    """Like map(function, inputs), with up to `ahead` calls running or finished before their result is taken."""
    waiting: deque[Future[Result]] = deque()
    for value in inputs:
        waiting.append(pool.submit(function, value))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()

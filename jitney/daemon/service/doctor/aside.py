"""Work that blocks, in threads for which nobody waits: a disk or a name server that hangs does not hold up the end."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Aside(ThreadPoolExecutor):
    """An executor for ``loop.set_default_executor``: each call has a thread of its own, left behind where it hangs."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin a call."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - as every executor: it is raised where the result is awaited
                future.set_exception(error)
            else:
                future.set_result(result)

        Thread(target=work, name="jitney-aside", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as the base has it
        """Wait for nothing."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        del wait

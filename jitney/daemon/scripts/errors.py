"""Why a Python file could not answer an event."""

from jitney.topics import JitneyError


class HandlerError(JitneyError):
    """An event was not answered; the text says where and why, ``trace`` are the last lines before it.

    ``code`` is ``raised``, or that of a refusal that the route did not catch, ``timeout``, ``interrupted`` (the process
    has ended) or ``unavailable`` (there is none), and then not to be tried again before ``after`` seconds.
    """

    def __init__(self, code: str, message: str, *, trace: str = "", after: float = 0.0) -> None:
        super().__init__(message)
        self.code = code
        self.trace = trace
        self.after = after

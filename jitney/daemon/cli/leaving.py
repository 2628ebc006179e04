"""The end of a process that has kept everything: nobody waits for a thread that hangs, as in a name server's answer."""

import os
import sys
import time
from threading import Thread


def leave_within(seconds: float) -> None:
    """End the process with status 0 so many seconds from now at the latest, whatever still runs in it.

    A blocking call cannot be ended, and Python waits at its end for the threads of executors.
    """

    def end() -> None:
        time.sleep(seconds)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)

    Thread(target=end, name="jitney-leaving", daemon=True).start()

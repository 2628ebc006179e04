"""How an adapter ends an attempt: the type tells the supervisor what to do, the text tells the person."""

from math import inf

from jitney.topics import JitneyError


class DisconnectedError(JitneyError):
    """The outside is not reachable now: try again with the adapter's back-off.

    Not before ``after`` seconds, and, where an attempt costs nobody anything, no later than ``within`` seconds.
    """

    def __init__(self, reason: str, *, after: float = 0.0, within: float = inf) -> None:
        super().__init__(reason)
        self.after = after
        self.within = within


class UnauthorisedError(JitneyError):
    """The outside refuses who we are: a person must act, so it is tried again only rarely."""

    def __init__(self, reason: str, *, remedy: str, link: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy
        self.link = link


class MisconfiguredError(JitneyError):
    """It cannot work with this configuration: it is not tried again until the configuration changes."""


class RefusedError(JitneyError):
    """A command that is not carried out; ``code`` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

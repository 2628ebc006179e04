"""The root of every error Jitney raises on purpose, and the errors of this layer."""


class JitneyError(Exception):
    """Root of all errors raised on purpose; its text names the place and the remedy."""


class InvalidOwnerError(JitneyError):
    """The text is not an owner id."""


class InvalidTopicError(JitneyError):
    """The topic name is not one of the tree."""


class InvalidPayloadError(JitneyError):
    """The payload is not what its topic asks for."""

"""Jitney: a small shared bus that takes each household member's events to their own stop."""


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: the metadata of packages takes long to import."""
    if name != "__version__":
        message = f"module 'jitney' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("jitney")
    except PackageNotFoundError:
        return "0+checkout"

"""Which topics a filter matches, and which filters lie within another (MQTT 5 section 4.7)."""


def matches(pattern: str, topic: str) -> bool:
    """Tell whether a filter matches a topic name; one that begins with a wildcard matches nothing of the broker's."""
    return covers(pattern, topic)


def covers(pattern: str, inner: str) -> bool:
    """Tell whether everything that ``inner``, a topic or a filter, matches is matched by ``pattern`` too."""
    wanted, given = pattern.split("/"), inner.split("/")
    if given[0].startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(given) or given[index] == "#" or level not in ("+", given[index]):
            return False
    return len(wanted) == len(given)

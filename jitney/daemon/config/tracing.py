"""What no type can say about `[tracing]`: the URL of the collector, its headers, and whether the extra is installed."""

import re
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from jitney.daemon.config.problems import Problems
from jitney.daemon.config.schema import TracingSettings
from jitney.daemon.config.urls import web_fault

EXTRA: Final = "opentelemetry.exporter.otlp.proto.http"
"""What the extra `otel` brings."""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE: Final = re.compile(r"[!-~]([ -~]{0,8000}[!-~])?")
"""A field name and a field value that every server takes. Source: RFC 9110, sections 5.1 and 5.5."""

_OURS: Final = frozenset(("content-type", "content-encoding", "content-length", "host", "transfer-encoding"))


def check_tracing(settings: TracingSettings, problems: Problems) -> None:
    """Note what is wrong with `[tracing]`."""
    if settings.otlp:
        _check_url(settings.otlp, problems)
        if not installed():
            problems.add(("tracing", "otlp"), "the export of traces is not installed: pip install 'jitney[otel]'")
    for name, value in settings.headers.items():
        key = ("tracing", "headers", name)
        if _NAME.fullmatch(name) is None or name.lower() in _OURS:
            problems.add(key, "not the name of a header that can be given")
        elif _VALUE.fullmatch(value.reveal()) is None:
            problems.add(key, "cannot be sent in a header: it is empty, or has a line break or other than ASCII in it")


def installed() -> bool:
    """Tell whether the extra `otel` is there, without importing it."""
    try:
        return find_spec(EXTRA) is not None
    except ModuleNotFoundError:
        return False


def _check_url(url: str, problems: Problems) -> None:
    if fault := web_fault(url):
        problems.add(("tracing", "otlp"), fault.replace("https://bus.example.org", "http://localhost:4318"))
    elif (parts := urlsplit(url)).query or parts.fragment:
        problems.add(("tracing", "otlp"), "takes no ? and no #: /v1/traces is put behind it")

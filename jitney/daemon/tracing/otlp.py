"""The way to a collector: OTLP over HTTP, by the exporter of OpenTelemetry. Blocks: a thread calls it."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import requests
from msgspec import Struct
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from jitney import __version__
from jitney.daemon.config.schema import TracingSettings
from jitney.daemon.tracing.spans import Place, Span

SECONDS: Final = 3.0
"""How long one batch may take, with what the exporter tries again by itself."""

PATH: Final = "/v1/traces"

_LONGEST_WAIT: Final = 600.0
_OK: Final = range(200, 300)
_AGAIN: Final = frozenset((429, 502, 503, 504))
"""After these alone the same may be sent again. Source: OTLP 1.7, "OTLP/HTTP Response", "Retryable Response Codes"."""


class Outcome(Struct, frozen=True):
    """What came of a batch: ``reason`` is empty when the collector has it.

    ``final``: it will never take it. ``after`` are the seconds that it asks us to wait.
    """

    reason: str = ""
    final: bool = False
    after: float = 0.0


class Collector:
    """A collector of traces; raises nothing: what went wrong is in the outcome."""

    def __init__(self, settings: TracingSettings, *, instance: str) -> None:
        # It tells each failure aloud, and this is told once, with what to do about it.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL + 1)
        self._session = _Session()
        self._exporter = OTLPSpanExporter(
            endpoint=settings.otlp.rstrip("/").removesuffix(PATH) + PATH,
            headers={name: value.reveal() for name, value in settings.headers.items()},
            timeout=SECONDS,
            compression=Compression.Gzip,
            session=self._session,
        )
        self._resource = Resource(
            {
                "service.name": settings.service_name,
                "service.version": __version__,
                "service.instance.id": instance,
            }
        )
        self._scope = InstrumentationScope("jitney", __version__)

    def send(self, spans: Iterable[Span]) -> Outcome:
        """Send a batch."""
        self._session.outcome = Outcome("nothing was answered")
        if self._exporter.export([self._readable(span) for span in spans]) is SpanExportResult.SUCCESS:
            return self._session.outcome
        return (
            self._session.outcome
            if self._session.outcome.reason
            else Outcome("the spans cannot be encoded", final=True)
        )

    def close(self) -> None:
        """End what is being sent: it does not try again, and has ended after ``SECONDS`` at the latest."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library leaves it untyped

    def _readable(self, span: Span) -> ReadableSpan:
        place = span.place
        status = Status(StatusCode.ERROR, span.error) if span.error else Status()
        return ReadableSpan(
            name=span.name,
            context=_context(place, place.span_id, remote=False),
            parent=_context(place, place.parent, remote=place.remote) if place.parent else None,
            resource=self._resource,
            attributes=span.attributes,
            kind=SpanKind.INTERNAL,
            status=status,
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=self._scope,
        )


class _Session(requests.Session):
    """Requests of our own alone: nothing of the environment; it remembers what came of the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # no proxy and no .netrc that the configuration does not name
        self.outcome = Outcome()

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - as requests has it
        try:
            response = super().request(*args, **kwargs)
        except requests.RequestException as error:
            self.outcome = Outcome(_words(error))
            raise
        self.outcome = _outcome(response.status_code, response.headers)
        return response


def _outcome(status: int, headers: Mapping[str, str]) -> Outcome:
    if status in _OK:
        return Outcome()
    after = headers.get("Retry-After", "")
    return Outcome(
        reason=f"it answers with status {status}",
        final=status not in _AGAIN,
        after=min(float(after), _LONGEST_WAIT) if after.isascii() and after.isdecimal() else 0.0,
    )


def _words(error: requests.RequestException) -> str:
    """Return what happened in words that are the same each time: the library's own name addresses in memory."""
    match error:
        case requests.exceptions.Timeout():
            return f"it did not answer within {SECONDS:g} s"
        case requests.exceptions.SSLError():
            return "its certificate is not trusted"
        case requests.exceptions.ConnectionError():
            return "it cannot be reached"
    return type(error).__name__


def _context(place: Place, span_id: int, *, remote: bool) -> SpanContext:
    return SpanContext(place.trace_id, span_id, is_remote=remote, trace_flags=TraceFlags(TraceFlags.SAMPLED))

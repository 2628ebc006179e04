"""Temporary."""
from contextlib import contextmanager
import structlog, sys
from structlog.contextvars import bound_contextvars
def get(name): return structlog.get_logger(name)
def configure(fmt, level, **kw):
    import logging
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())), logger_factory=structlog.PrintLoggerFactory(sys.stderr))
@contextmanager
def bound(**kw):
    with bound_contextvars(**{k:v for k,v in kw.items() if v}):
        yield
class Decay:
    def __init__(self, log): self.log=log
    def failed(self, event, **kw): self.log.warning(event, **kw)
    def recovered(self, event, **kw): self.log.info(event, **kw)
class Tally:
    def __init__(self, log): self.log=log
    def add(self, event, *, key, **kw): self.log.warning(event, **kw)

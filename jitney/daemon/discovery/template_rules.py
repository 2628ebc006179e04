"""What a template may use: what Jinja2 has, and of what Home Assistant adds to it that makes sense over a value."""

from functools import lru_cache
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, meta, nodes

_FILTERS: Final = """
add as_datetime as_local as_timedelta as_timestamp average base64_decode base64_encode bool contains from_json
has_value iif is_defined is_number log median multiply ord ordinal regex_findall regex_findall_index regex_match
regex_replace regex_search relative_time slugify sqrt statistical_mode time_since time_until timestamp_custom
timestamp_local timestamp_utc to_json today_at
"""
_TESTS: Final = "contains datetime has_value is_number list match search set string_like tuple"
_NAMES: Final = """
value value_json entity_id name this as_datetime as_local as_timedelta as_timestamp average bool e float has_value iif
int is_number is_state log max median min now pi set sqrt state_attr states strptime tau time_since time_until
timedelta today_at tuple utcnow zip
"""

_jinja = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=False)  # noqa: S701 - only read
_FILTERS_KNOWN: Final = frozenset(_jinja.filters) | frozenset(_FILTERS.split())
_TESTS_KNOWN: Final = frozenset(_jinja.tests) | frozenset(_TESTS.split())
_NAMES_KNOWN: Final = frozenset(_jinja.globals) | frozenset(_NAMES.split())


@lru_cache(maxsize=2048)
def template_fault(text: str) -> str:
    """Return why Home Assistant could not use a template, empty when it could."""
    try:
        tree = _jinja.parse(text)
    except TemplateSyntaxError as error:
        return f"is no template: {error.message}"
    for kind, known, what in ((nodes.Filter, _FILTERS_KNOWN, "filter"), (nodes.Test, _TESTS_KNOWN, "test")):
        for node in tree.find_all(kind):
            if node.name not in known:
                return f"uses an unknown {what} {node.name!r}"
    if unknown := meta.find_undeclared_variables(tree) - _NAMES_KNOWN:
        return f"uses what is not there: {', '.join(sorted(unknown))}"
    return ""

"""Routes compiled: which events each wants, why or why not, and what it then does."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from jitney.daemon.routes import globs
from jitney.daemon.routes.actions import Action, RunHandler
from jitney.daemon.routes.allowed import AllowList
from jitney.daemon.routes.conditions import Condition, Reason, compile_when
from jitney.daemon.routes.document import Document
from jitney.daemon.routes.faults import Fault, Faults, TemplateError, TemplateFault
from jitney.daemon.routes.forms import Make, Place, Waits, compile_actions
from jitney.daemon.routes.household import Household, Kinds, Skill, everybody
from jitney.daemon.routes.index import Index
from jitney.daemon.routes.settings import HandlerSettings, RouteSettings, Words
from jitney.daemon.routes.templates import compile_expression
from jitney.daemon.routes.timing import check_times, compile_key, compile_once_per
from jitney.daemon.routes.words import shown
from jitney.topics import Event
from jitney.topics.messages import ROUTE

__all__ = ["Fault", "Index", "Reason", "Route", "compile_routes"]

SCHEDULED: Final = f"{ROUTE}.scheduled"
"""The type of the event that a schedule makes; its subject is the route."""

LONGEST_NAME: Final = 100


def is_tick(event: Event) -> bool:
    """Tell whether an event is one that a schedule makes: only the route that is its subject answers it."""
    return event.type == SCHEDULED and not event.causationid


class Route:
    """A compiled route. ``owners`` None: everybody, each for themselves, but not what nobody is known for.

    ``patterns`` are the types and globs it wants, none for a schedule. It keeps nothing: the same document always
    gives the same answers, and ``matches`` holds just when every reason of ``explain`` does.
    """

    __slots__ = (
        "_key",
        "_makes",
        "_wants_type",
        "conditions",
        "name",
        "needs_memory",
        "owners",
        "patterns",
        "settings",
    )

    def __init__(
        self,
        settings: RouteSettings,
        *,
        owners: frozenset[str] | None,
        patterns: tuple[str, ...],
        conditions: tuple[Condition, ...],
        key: Callable[[Document], str] | None,
        makes: tuple[Make, ...],
    ) -> None:
        self.settings = settings
        self.name = settings.name
        self.owners = owners
        self.patterns = patterns
        self.conditions = conditions
        self._key = key
        self._makes = makes
        self.needs_memory = _needs_memory(settings)
        """Whether it has conditions about more than one event."""
        self._wants_type = globs.matcher(patterns or (SCHEDULED,))

    def serves(self, owner: str) -> bool:
        """Tell whether it works, and for an owner."""
        return self.settings.enabled and (everybody(owner) if self.owners is None else owner in self.owners)

    def wants(self, owner: str, type: str) -> bool:  # noqa: A002 - the attribute's name in CloudEvents
        """Tell whether it has to look at events of an owner and a type."""
        return self.serves(owner) and self._wants_type(type)

    def answers(self, event: Event) -> bool:
        """Tell whether it has to look at an event; at what a schedule makes, only the route that follows that."""
        if not self.wants(event.owner, event.type):
            return False
        return not (self.patterns and is_tick(event)) and (bool(self.patterns) or event.subject == self.name)

    def matches(self, document: Document) -> bool:
        """Tell whether it answers an event. Never raises: a template that cannot be filled in does not hold."""
        event = document.event
        if not self.wants(event.owner, event.type) or not (self.patterns or event.subject == self.name):
            return False
        return self.holds(document)

    def holds(self, document: Document) -> bool:
        """Tell whether its conditions hold for an event of an owner and a type that it wants. Never raises."""
        for condition in self.conditions:  # noqa: SIM110 - a generator would double what one condition costs
            if not condition.holds(document):
                return False
        return True

    def explain(self, document: Document) -> list[Reason]:
        """Return, for each of its conditions, whether it holds and what was seen; never raises."""
        return [*self._about(document), *(condition.explain(document) for condition in self.conditions)]

    def key(self, document: Document) -> str:
        """Return under what it remembers an event, which is its subject unless it says so; raises TemplateError."""
        if self._key is not None:
            return self._key(document)
        subject = document.event.subject
        return subject if isinstance(subject, str) else ""

    def actions(self, document: Document) -> list[Action]:
        """Return what it does about an event, in order; raises TemplateError with its place in the route."""
        return [action for make in self._makes for action in make(document)]

    def _about(self, document: Document) -> list[Reason]:
        event = document.event
        reasons = [] if self.settings.enabled else [Reason("enabled", held=False, saw="the route is disabled")]
        whose = "any owner" if self.owners is None else " or ".join(sorted(self.owners))
        ours = everybody(event.owner) if self.owners is None else event.owner in self.owners
        reasons.append(_named("owner", event.owner, whose, held=ours))
        wanted = " or ".join(self.patterns or (SCHEDULED,))
        reasons.append(_named("type", event.type, wanted, held=self._wants_type(event.type)))
        if not self.patterns:
            subject = event.subject if isinstance(event.subject, str) else ""
            reasons.append(_named("subject", shown(subject), shown(self.name), held=subject == self.name))
        return reasons


def _needs_memory(settings: RouteSettings) -> bool:
    spans = settings.debounce or settings.throttle or settings.for_
    return bool(spans or settings.count or settings.once_per or settings.quiet_hours or settings.schedule)


def compile_routes(
    settings: Sequence[RouteSettings],
    *,
    owners: Collection[str],
    adapters: Mapping[str, str],
    kinds: Kinds | None = None,
    skills: Mapping[str, Skill] | None = None,
    webhooks: AllowList | None = None,
) -> tuple[list[Route], list[Fault]]:
    """Return the routes without fault, in order, and every fault of the others; never raises.

    ``owners`` are ids of people, ``adapters`` names with whom they belong to, ``kinds`` tells whether a type is
    private, None for one that no adapter has. ``skills`` are what adapters can do, by name, and ``webhooks`` where
    these may go, as far as that is known.
    """
    household = Household(
        owners=frozenset(owners), adapters=dict(adapters), kinds=kinds, skills=skills or {}, webhooks=webhooks
    )
    routes: list[Route] = []
    found: list[Fault] = []
    names: set[str] = set()
    for number, one in enumerate(settings):
        faults = Faults(number)
        with faults.at("name"):
            _check_name(one.name, names, faults)
        route = _route(one, household, faults)
        found += faults.found
        if not faults.found:
            routes.append(route)
    return routes, found


def _route(settings: RouteSettings, household: Household, faults: Faults) -> Route:
    owners = _owners(settings.owner, household, faults)
    patterns = _patterns(settings, household, faults)
    with faults.at("when"):
        conditions = compile_when(settings.when, faults)
    if settings.if_:
        with faults.at("if"):
            conditions += _expression(settings.if_, faults)
    makes = _makes(settings, Place(settings.name, owners, household, _waits(settings)), faults)
    with faults.at("once_per"):
        once_per = compile_once_per(settings.once_per, faults)
    with faults.at("key"):
        key = compile_key(settings.key, once_per, faults)
    check_times(settings, faults)
    return Route(settings, owners=owners, patterns=patterns, conditions=conditions, key=key, makes=makes)


def _makes(settings: RouteSettings, place: Place, faults: Faults) -> tuple[Make, ...]:
    if isinstance(settings, HandlerSettings):
        action = RunHandler(file=settings.file, handler=settings.handler)
        return (lambda _: [action],)
    with faults.at("do"):
        return compile_actions(settings.do, place, faults)


def _waits(settings: RouteSettings) -> Waits:
    """Return because of which key a route never answers an event while it comes."""
    if settings.schedule is not None:
        return "schedule"
    if settings.for_:
        return "for"
    return "debounce" if settings.debounce else ""


def _check_name(name: str, names: set[str], faults: Faults) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        faults.add(f"expected 1 to {LONGEST_NAME} printable characters, got {shown(name)}")
    elif name in names:
        faults.add("another route has this name already: names tell routes apart")
    names.add(name)


def _owners(words: Words, household: Household, faults: Faults) -> frozenset[str] | None:
    given = (words,) if isinstance(words, str) else words
    if "*" in given:
        if len(given) > 1:
            faults.add('"*" is everybody: leave the others out', "owner")
        return None
    if not given:
        faults.add('expected the id of an owner, several, or "*"', "owner")
    for index, owner in enumerate(given):
        fault = household.owner_fault(owner)
        if fault:
            faults.add(fault, "owner", *([] if isinstance(words, str) else [index]))
    return frozenset(given)


def _patterns(settings: RouteSettings, household: Household, faults: Faults) -> tuple[str, ...]:
    given = (settings.on,) if isinstance(settings.on, str) else settings.on
    if given and settings.schedule is not None:
        faults.add("a route answers events or follows a schedule: make two of it", "on")
    if not given and settings.schedule is None:
        faults.add('missing: expected event types such as "strava.activity.created", or "*" for all', "on")
    for index, glob in enumerate(given):
        fault = globs.fault(glob) or ("" if globs.is_glob(glob) else household.kind_fault(glob))
        if fault:
            faults.add(fault, "on", *([] if isinstance(settings.on, str) else [index]))
    return given


def _expression(text: str, faults: Faults) -> tuple[Condition, ...]:
    try:
        template = compile_expression(text)
    except TemplateFault as fault:
        faults.add(str(fault))
        return ()

    def holds(document: Document) -> bool:
        try:
            return template.holds(document)
        except TemplateError:
            return False

    def explain(document: Document) -> Reason:
        what = f"if {template.source.strip()}"
        try:
            held = template.holds(document)
        except TemplateError as error:
            return Reason(what, held=False, saw=f"`{template.source.strip()}` cannot be told: {error}")
        return Reason(what, held, f"`{template.source.strip()}` is {'true' if held else 'not true'}")

    return (Condition(holds, explain),)


def _named(what: str, found: str, wanted: str, *, held: bool) -> Reason:
    words = f"{what} is {found}" if held else f"{what} is {found}, not {wanted}"
    return Reason(f"{what} is {wanted}", held, words)

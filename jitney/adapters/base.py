"""The adapter contract: what an adapter gives to the bus and what it gets from it.

An adapter speaks with one outside system. It never sleeps between attempts, makes tasks that it does not await,
logs a reconnect or knows MQTT: it raises one of ``jitney.adapters.errors`` and the supervisor does the rest.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from msgspec import Struct

from jitney.adapters.secret import Secret
from jitney.topics import Command, Event, EventData, Reply, State

if TYPE_CHECKING:
    from jitney.adapters.entities import Device


class Owner(Struct, frozen=True):
    """A person of the household as one adapter type sees them; ``identity`` is that type's ``Identity``."""

    id: str
    name: str
    identity: Any = None


class Log(Protocol):
    """The logger of an adapter; owner, adapter and event id are added to every line."""

    def debug(self, event: str, **fields: object) -> None:
        """Write what only a developer wants to know."""

    def info(self, event: str, **fields: object) -> None:
        """Write what changed."""

    def warning(self, event: str, **fields: object) -> None:
        """Write what a person may have to look at."""


class HttpRequest(Struct, frozen=True):
    """A request to an adapter: ``path`` is what follows ``/{name}/``, of a repeated query key the first one counts."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    body: bytes = b""
    content_type: str = ""


class HttpResponse(Struct, frozen=True):
    """The answer to a request; ``headers`` besides the content type."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


HttpHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]

OwnerStatus = Literal["connecting", "online", "degraded", "offline", "reauth"]


class Vault(Protocol):
    """Secrets of owners, encrypted on disk. An adapter sees only its own; ``owner`` and ``name`` are bound to each."""

    async def get(self, owner: str, name: str) -> Secret | None:
        """Return a secret, None when there is none; raises MisconfiguredError when the key is not the right one."""

    async def put(self, owner: str, name: str, secret: Secret) -> None:
        """Keep a secret; it is on disk when this returns.

        Raises RefusedError when it cannot be kept, and MisconfiguredError as ``get`` does.
        """

    async def delete(self, owner: str, name: str = "") -> None:
        """Erase a secret of an owner, or all of them; no error when there is none. Raises RefusedError."""


class Context(Protocol):
    """What the bus offers to one adapter during one attempt."""

    name: str
    """The adapter's name in the configuration: a level of its topics and, after a '/', the source of its events."""
    owners: Mapping[str, Owner]
    """The configured people by owner id, without the reserved owners."""
    default_owner: str
    """Whom an event belongs to when nothing better is known: the configured ``owner``, else ``_house``."""
    log: Log
    vault: Vault

    @property
    def public_url(self) -> str:
        """Where the outside reaches this adapter's paths: ``https://bus.example.org/strava``; empty: it cannot."""

    @property
    def local_url(self) -> str:
        """Where a browser on this machine reaches them: ``http://localhost:8077/strava``; empty: no port is open."""

    def online(self) -> None:
        """Tell that the connection works and its first snapshot is complete: the back-off starts anew."""

    def degraded(self, reason: str) -> None:
        """Tell that it works only in part, until the next ``online``."""

    def owner_status(self, owner: str, state: OwnerStatus, reason: str = "") -> None:
        """Tell one owner that it is otherwise for them than for the others; ``online`` takes that back."""

    def serve(self, handler: HttpHandler) -> None:
        """Answer HTTP requests below ``/{name}/`` until this attempt ends; without a handler they get a 503.

        A body has at most 64 KiB, and an answer that takes more than 10 seconds becomes a 503.
        """

    async def emit(self, *events: Event) -> None:
        """Accept events in this order; returns when they are safe, which is also the back-pressure.

        For a durable adapter safe means on disk. Give all that arrived together in one call: it costs one commit.
        Raises RefusedError when a durable event cannot be kept; then none of the call's events was accepted.
        """

    def set_state(self, state: State) -> None:
        """Publish the last known value of a subject, retained; only the newest value of a subject is kept."""

    def keep_states(self, subjects: Iterable[tuple[str, str]]) -> None:
        """Declare the (owner, subject) pairs that exist: every other state of this adapter is removed."""

    def announce(self, owner: str, devices: "Iterable[Device]") -> None:
        """Declare all devices of an owner that Home Assistant can show; call it again when they have changed.

        What was declared before and is not among them is removed there. What is known when ``online`` is called for the
        first time must have been declared by then.
        """

    def alert(self, owner: str, alert: str, *, message: str, link: str = "") -> None:
        """Tell an owner that a person must do something; stays until resolved. ``alert`` is a short word."""

    def resolve(self, owner: str, alert: str) -> None:
        """Take an alert back; no error when there is none."""

    def unclaimed(self, kind: str, external_id: str, *, hint: str = "") -> None:
        """Tell that something was met which could be an owner's and is nobody's, so that a person can claim it.

        ``kind`` is a short word; ``external_id`` as ``Identity.claims`` would yield it; ``hint`` helps to recognise it.
        """

    def count(self, what: str, number: int = 1, *, owner: str = "") -> None:
        """Add to one of this adapter's counters, which health and metrics show; ``what`` is a short word.

        ``files_full`` of an owner is an alert to them: there were more files than ``room`` for them.
        """

    def audit(self, owner: str, what: str, *, outcome: str = "ok", detail: str = "") -> None:
        """Tell the audit log what was done for an owner: ``sign_in``, ``sign_out`` or ``token_refresh``.

        ``outcome`` is a short word, ``detail`` has no secret and nothing of what was sent or received.
        """

    async def load(self, key: str) -> bytes | None:
        """Return what ``save`` kept under ``key``, over restarts."""

    async def save(self, key: str, value: bytes | None) -> None:
        """Keep a small value over restarts; None removes it. On disk when this returns; raises RefusedError."""

    async def load_all(self, prefix: str) -> dict[str, bytes]:
        """Return every kept value whose key begins with ``prefix``, by key, in the order of the keys."""

    async def save_all(self, values: Mapping[str, bytes | None]) -> None:
        """Keep several values, all or none; None removes one. On disk when this returns; raises RefusedError."""

    def folder(self, owner: str) -> Path:
        """Return the folder for this adapter's files of an owner; it need not exist yet."""

    def room(self, owner: str) -> int:
        """Return how many bytes the files in that folder may take together. It looks at the disk: ask in a thread."""


class Adapter(Protocol):
    """One configured connection to the outside."""

    async def run(self, ctx: Context) -> None:
        """Connect, call ``ctx.online()``, ``await ctx.emit(…)`` for what happens; cancelled to stop it.

        Raises DisconnectedError, UnauthorisedError or MisconfiguredError. Returning means that nothing more
        will come and it need not be run again.
        """

    async def command(self, command: Command) -> Reply:
        """Carry out one command of its owner while ``run`` is under way, or raise RefusedError."""


class Erasing(Protocol):
    """What an adapter also has that keeps anything of an owner besides states and the vault."""

    async def erase(self, owner: str) -> None:
        """Forget an owner: end what was granted outside, remove kept values and files. While ``run`` is under way."""


class Commanding(Protocol):
    """What the class of an adapter also has whose commands are known before it runs: `jitney check` looks at them."""

    commands: ClassVar[tuple[str, ...]]
    """The name of every command that ``command`` carries out."""


class Controlling(Protocol):
    """What the class of an adapter also has some of whose commands control a device: the audit log tells them apart."""

    controls: ClassVar[tuple[str, ...]]
    """The names of these commands."""


class AdapterType(Protocol):
    """What an adapter's class declares. Calling it does nothing but keep its arguments.

    ``name`` is the type in the configuration and the first word of its event types. ``Config`` are the keys of
    ``[adapters.<name>]`` besides the common ones, ``Identity`` those of ``[owners.<id>] <type> = {…}`` (None:
    owners have none). ``durable`` is the default of that key. ``kinds`` are the events it emits.

    A ``Config`` or ``Identity`` refuses values by ValueError in ``__post_init__``; a text that begins with a field
    and a colon is told at that field. Both may have ``claims() -> Iterable[str]``: external ids that only
    one adapter or one owner can have. A ``Config`` may have ``people() -> Iterable[tuple[str, str]]``: (field, owner)
    where it names people, and an ``Identity`` the static method ``claimed_as(external_id) -> str``: under which of its
    keys such an id is written, empty for what is none. ``Meta(extra={"expects": "a URL"})`` says in words what a field
    expects.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Struct]]
    Identity: ClassVar[type[Struct] | None]
    durable: ClassVar[bool]
    kinds: ClassVar[tuple[type[EventData], ...]]

    def __call__(self, name: str, config: Any) -> Adapter:  # noqa: ANN401 - the type's own Config
        """Return the adapter ``name`` of the configuration."""


Level = Literal["ok", "note", "warning", "problem"]
"""How it stands: well, good to know, may become a problem, does not work."""


class Found(Struct, frozen=True):
    """What was looked at and how it is, and where it is not well what a person can do about it."""

    level: Level
    text: str
    remedy: str = ""


class Examination(Struct, frozen=True, kw_only=True):
    """What is known to whoever examines the adapter ``name``; ``owners`` and ``public_url`` are as in ``Context``.

    ``running``: a daemon has the connection just now and must not notice. ``offline``: nothing may go over a network.
    """

    name: str
    owners: Mapping[str, Owner] = {}
    public_url: str = ""
    running: bool = False
    offline: bool = False


class Examining(Protocol):
    """What the class of an adapter also has that can be examined without being run."""

    @staticmethod
    def examine(config: Any, about: Examination) -> AsyncIterator[Found]:  # noqa: ANN401 - the type's own Config
        """Try the connection and yield what is found, the telling things first; it is cancelled after 12 seconds."""


Clock = Callable[[], float]
"""Seconds that only go forward; injected where a test must turn the clock."""

"""An adapter for a daemon in a lab, installed there as a third party's: it takes webhooks, and does harm on request."""

import asyncio
import ctypes
import json
import mmap
import os
import socket
import time
from collections.abc import Callable
from typing import ClassVar

from msgspec import Struct

from jitney.adapters.base import Context, HttpRequest, HttpResponse
from jitney.adapters.errors import RefusedError
from jitney.adapters.secret import Secret
from jitney.topics import Command, EventData, Reply, event


class Called(EventData, frozen=True):
    """A webhook came."""

    type: ClassVar[str] = "lab.called"
    number: int


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``slow`` are the seconds until it serves."""

    slow: float = 0.0
    token: Secret | None = None


class Lab:
    """The adapter type `lab`."""

    name = "lab"
    Config = Settings
    Identity = None
    durable = True
    kinds = (Called,)

    def __init__(self, name: str, config: Settings) -> None:
        self._name = name
        self._config = config

    async def run(self, ctx: Context) -> None:
        """Serve."""
        await asyncio.sleep(self._config.slow)

        async def answer(request: HttpRequest) -> HttpResponse:
            match request.path:
                case "freeze":
                    time.sleep(3600)  # noqa: ASYNC251 - that is the harm
                case "die":
                    os.abort()
                case "harm":
                    return HttpResponse(body=json.dumps(_harm()).encode())
                case "environment":
                    return HttpResponse(body=json.dumps(sorted(os.environ)).encode())
                case "token":
                    token = self._config.token
                    return HttpResponse(body=token.reveal().encode() if token else b"")
                case "keep":
                    await ctx.vault.put("alice", "kept", Secret(request.body.decode()))
                case "kept":
                    kept = await ctx.vault.get("alice", "kept")
                    return HttpResponse(body=kept.reveal().encode() if kept else b"")
                case _:
                    number = int(request.body)
                    called = event(Called(number), adapter=self._name, owner="alice", id=f"{self._name}-{number}")
                    await ctx.emit(called)
            return HttpResponse()

        ctx.serve(answer)
        ctx.online()
        await asyncio.Event().wait()

    async def command(self, command: Command) -> Reply:
        """Refuse."""
        raise RefusedError("unknown_command", command.name)


def _harm() -> dict[str, str]:
    """Try what a sandbox should not allow; returns for each what came of it."""
    return {name: _try(deed) for name, deed in _DEEDS.items()}


def _try(deed: Callable[[], object]) -> str:
    try:
        deed()
    except OSError as error:
        return error.strerror or str(error)
    return "done"


def _write(path: str) -> Callable[[], object]:
    def deed() -> None:
        with open(path, "w"):  # noqa: PTH123 - as harm does it
            pass

    return deed


def _raw_socket() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW):
        pass


def _netlink() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW):
        pass


def _code_in_data() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def _namespace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) != 0:  # CLONE_NEWUSER
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


_DEEDS: dict[str, Callable[[], object]] = {
    "write into /etc": _write("/etc/jitney/config.toml"),
    "write into /usr": _write("/usr/harm"),
    "write into /opt": _write("/opt/jitney/harm"),
    "write its state": _write("/var/lib/jitney/well"),
    "write into /tmp": _write("/tmp/jitney-lab"),
    "look into /home": lambda: os.listdir("/home/alice"),  # noqa: PTH208
    "look into /root": lambda: os.listdir("/root"),  # noqa: PTH208
    "read the secrets": lambda: os.listdir("/etc/jitney/secrets"),  # noqa: PTH208
    "open a disk": lambda: os.close(os.open("/dev/kmsg", os.O_RDONLY)),
    "a raw socket": _raw_socket,
    "netlink": _netlink,
    "code in data": _code_in_data,
    "a namespace": _namespace,
    "signal others": lambda: os.kill(1, 0),
    "become root": lambda: os.setuid(0),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "set the name": lambda: socket.sethostname("harm"),
}

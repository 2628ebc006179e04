"""What people are told, in the words of the adapter that tells them."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from jitney.adapters.errors import RefusedError
from jitney.daemon.routes.actions import Notify, Reply
from jitney.daemon.routes.household import HOME
from jitney.daemon.routing.planned import MESH, Origin

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Ask(Struct, frozen=True):
    """A command that tells somebody something."""

    adapter: str
    name: str
    data: Raw


def notice(notify: Notify, kind: str) -> Ask:
    """Return how an adapter of a type is asked to tell something; raises RefusedError.

    A Home Assistant calls ``notify.{service}``. A radio sends a text: to the node that is named as the service or as
    ``to`` in the data, else to everybody on the channel.
    """
    data = _object(notify.data)
    if kind == HOME:
        if not notify.service:
            message = f"say through which notify service of {notify.adapter}: {notify.adapter}.mobile_app_phone"
            raise RefusedError("invalid", message)
        told = {"message": notify.message, **_given(title=notify.title, data=data)}
        return Ask(notify.adapter, "call_service", Raw(_encode({"service": f"notify.{notify.service}", "data": told})))
    if kind == MESH:
        text = f"{notify.title}: {notify.message}" if notify.title else notify.message
        wanted = {**data, **_given(to=notify.service), "text": text}
        return Ask(notify.adapter, "send_text", Raw(_encode(wanted)))
    raise RefusedError("not_supported", f"{notify.adapter} is a {kind}: use its commands to tell somebody something")


def answer(reply: Reply, origin: Origin, *, adapter: str) -> Ask:
    """Return how the sender of a packet is answered on the mesh, alone and with the packet named; raises RefusedError.

    Of an answer for programs it is the ``text`` in it. The radio refuses to answer where a machine should not.
    """
    text = reply.text or _object(reply.data).get("text")
    if not isinstance(text, str) or not text:
        raise RefusedError("invalid", 'an answer on the mesh is a text: give reply = "…"')
    sent = {"text": text, "to": origin.node, "channel": origin.channel, "reply_to": origin.packet_id}
    return Ask(adapter, "respond", Raw(_encode(sent)))


def _object(data: Raw) -> dict[str, Any]:
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("invalid", f"data: {error}") from error


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value}

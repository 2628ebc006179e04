"""Actions in the words of the file: what `try` prints and what `tests` compare with."""

from functools import singledispatch
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw

from jitney.daemon.routes.actions import (
    Action,
    Drop,
    Forward,
    Notify,
    PublishEvent,
    PublishState,
    Reply,
    RunHandler,
    SendCommand,
    SetVariable,
    Webhook,
)

_decode: Final = msgspec.json.Decoder().decode


def said(action: Action) -> dict[str, Any]:
    """Return an action as the table of the file that would lead to it."""
    return _table(action) | _given(delay=action.delay)


@singledispatch
def _table(action: object) -> dict[str, Any]:
    raise TypeError(f"{type(action).__name__} is no action")


@_table.register
def _(action: SendCommand) -> dict[str, Any]:
    return {"command": f"{action.adapter}.{action.command}", "data": _decode(action.data)}


@_table.register
def _(action: PublishEvent) -> dict[str, Any]:
    return {"publish": action.kind, "data": _decode(action.data), **_given(subject=action.subject)}


@_table.register
def _(action: PublishState) -> dict[str, Any]:
    return {"state": action.subject, **_value("data", action.data), **_given(expiry=action.expiry)}


@_table.register
def _(action: Reply) -> dict[str, Any]:
    return {"reply": action.text or _decode(action.data)}


@_table.register
def _(action: Notify) -> dict[str, Any]:
    data = _decode(action.data)
    return {"notify": action.target, "message": action.message, **_given(title=action.title, data=data)}


@_table.register
def _(action: Webhook) -> dict[str, Any]:
    secrets = {name: {where.source: where.name} for name, where in action.secrets.items()}
    body = {} if action.body is UNSET else {"data": _decode(action.body)}
    return {"webhook": action.url, "method": action.method, **_given(headers={**action.headers, **secrets}), **body}


@_table.register
def _(action: Forward) -> dict[str, Any]:
    return {"forward": action.to}


@_table.register
def _(_action: Drop) -> dict[str, Any]:
    return {"drop": True}


@_table.register
def _(action: SetVariable) -> dict[str, Any]:
    return {"set": action.name, **_value("value", action.value), **_given(expiry=action.expiry)}


@_table.register
def _(action: RunHandler) -> dict[str, Any]:
    return {"python": action.handler, "file": action.file}


def _value(key: str, value: Raw | msgspec.UnsetType) -> dict[str, Any]:
    return {"gone": True} if value is UNSET else {key: _decode(value)}


def _given(**fields: object) -> dict[str, Any]:
    """Return those fields that are not empty."""
    return {name: value for name, value in fields.items() if value}

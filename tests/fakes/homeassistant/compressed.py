"""The short form in which ``subscribe_entities`` tells states and their changes."""

from datetime import datetime
from typing import Any

from tests.fakes.homeassistant.world import Context, Fired, State


def snapshot(states: list[State]) -> dict[str, Any]:
    """Return the event that holds states as they are."""
    return {"a": {state.entity_id: _whole(state) for state in states}}


def difference(fired: Fired) -> dict[str, Any]:
    """Return the event that a ``state_changed`` becomes: added, changed or removed."""
    old, new = fired.data["old_state"], fired.data["new_state"]
    if new is None:
        return {"r": [fired.data["entity_id"]]}
    if old is None:
        return {"a": {new.entity_id: _whole(new)}}
    return {"c": {new.entity_id: _changed(old, new)}}


def _whole(state: State) -> dict[str, Any]:
    context = state.context
    named = context.parent_id is not None or context.user_id is not None
    whole = {
        "s": state.state,
        "a": state.attributes,
        "c": context if named else context.id,
        "lc": _seconds(state.last_changed),
    }
    return whole if state.last_changed == state.last_updated else {**whole, "lu": _seconds(state.last_updated)}


def _changed(old: State, new: State) -> dict[str, Any]:
    plus: dict[str, Any] = {}
    if old.state != new.state:
        plus["s"] = new.state
    if old.last_changed != new.last_changed:
        plus["lc"] = _seconds(new.last_changed)
    elif old.last_updated != new.last_updated:
        plus["lu"] = _seconds(new.last_updated)
    if context := _changed_context(old.context, new.context):
        plus["c"] = context
    added = {
        key: value for key, value in new.attributes.items() if key not in old.attributes or old.attributes[key] != value
    }
    if added:
        plus["a"] = added
    removed = [key for key in old.attributes if key not in new.attributes]
    return {"+": plus, "-": {"a": removed}} if removed else {"+": plus}


def _changed_context(old: Context, new: Context) -> dict[str, str | None] | str:
    changed = {
        key: getattr(new, key) for key in ("parent_id", "user_id", "id") if getattr(old, key) != getattr(new, key)
    }
    return new.id if list(changed) == ["id"] else changed


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()

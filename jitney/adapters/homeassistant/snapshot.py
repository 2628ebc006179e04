"""Comparing what Home Assistant has now with what was last told: that is how missed changes are found."""

from zlib import crc32

from jitney.adapters.homeassistant.frames import (
    STATE_CHANGED,
    Change,
    FullState,
    NewState,
    OldState,
    StateChange,
    ignore,
)
from jitney.adapters.homeassistant.house import Entity, House
from jitney.adapters.homeassistant.persons import PREFIX
from jitney.adapters.homeassistant.translation import Translator
from jitney.topics import Event


def meet_persons(states: list[FullState], house: House) -> None:
    """Learn who everybody is before anything is said to be theirs."""
    for state in states:
        if state.entity_id.startswith(PREFIX):
            house.persons.note(state.entity_id, state.attributes, ignore)
    house.arrange()


def has_restarted(states: list[FullState], house: House) -> bool:
    """Tell whether Home Assistant has started anew since it was seen last: then every state is a new one."""
    known = [(house.entities[state.entity_id], state) for state in states if state.entity_id in house.entities]
    return bool(known) and all(entity.updated != state.last_updated for entity, state in known)


def apply(states: list[FullState], *, house: House, translator: Translator, observed: str) -> list[Event]:
    """Publish and remember every state; return the events of the changes that nobody has told, oldest first.

    The first snapshot of all tells no events: nothing was known that could have changed.
    """
    present = {state.entity_id for state in states}
    missed: list[StateChange] = []
    for state in states:
        entity = house.entity(state.entity_id)
        change = _as_change(state, entity)
        if house.known and _differs(state, entity):
            missed.append(change)
        else:
            translator.settle(change)
    gone = [entity for entity in house.entities.values() if entity.id not in present]
    house.known = True
    missed.sort(key=_updated)
    events = [translator.change(change, observed=observed, missed=True) for change in missed]
    events.extend(translator.change(_removal(entity), observed=observed, missed=True) for entity in gone)
    return [event for event in events if event is not None]


def _differs(state: FullState, entity: Entity) -> bool:
    """Tell whether an entity is not as it was told.

    After a restart of Home Assistant every state is set anew and attributes settle: that alone is no change.
    """
    if entity.told != state.state:
        return True
    return entity.changed == state.last_changed and entity.content != crc32(state.attributes)


def _as_change(state: FullState, entity: Entity) -> StateChange:
    new = NewState(state.state, state.attributes, state.last_changed, state.last_updated)
    old = None if entity.told is None else OldState(entity.told)
    return StateChange(STATE_CHANGED, Change(state.entity_id, new, old), state.last_updated, state.context)


def _removal(entity: Entity) -> StateChange:
    return StateChange(STATE_CHANGED, Change(entity.id, None, None))


def _updated(change: StateChange) -> str:
    new = change.data.new_state
    return new.last_updated if isinstance(new, NewState) else ""

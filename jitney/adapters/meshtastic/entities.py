"""What Home Assistant is shown of a radio and of chosen nodes: the devices of one owner, from how these look."""

from msgspec import Struct

from jitney.adapters.entities import AnyEntity, Device
from jitney.adapters.meshtastic.entities_node import MANUFACTURER, health_device, model, node_devices
from jitney.adapters.meshtastic.entities_radio import control, private_device, radio_device
from jitney.adapters.meshtastic.outline import Outline
from jitney.adapters.meshtastic.plain import plain_name
from jitney.adapters.meshtastic.radio import RadioInfo


class RadioView(Struct, frozen=True, kw_only=True):
    """A radio as its owner sees it; ``own`` is it as a node, None where that node is somebody else's."""

    own: Outline | None
    is_shared: bool


class View(Struct, frozen=True, kw_only=True):
    """What one owner is shown of a radio called ``name``, and nothing else decides about their devices.

    ``radio`` is there for the owner of the radio alone, ``person`` the name of anybody else. ``nodes`` are the chosen
    ones of this owner, ``allowed`` what they may do with the radio itself.
    """

    info: RadioInfo
    name: str
    radio: RadioView | None = None
    person: str = ""
    nodes: tuple[Outline, ...] = ()
    allowed: frozenset[str] = frozenset()


def devices(view: View) -> tuple[Device, ...]:
    """Return the devices of an owner."""
    found = []
    if view.radio is not None:
        own = view.radio.own
        found.append(radio_device(view.info, name=view.name, own=own, allowed=view.allowed))
        found.append(private_device(view.info, name=view.name, is_shared=view.radio.is_shared))
        if own is not None and (health := health_device(own)):
            found.append(health)
    elif controls := tuple(control(view.allowed)):
        found.append(_for_person(view, controls))
    for node in view.nodes:
        found += node_devices(node, is_radio=node.number == view.info.number)
    return tuple(found)


def _for_person(view: View, controls: tuple[AnyEntity, ...]) -> Device:
    """Return a shared radio as it is for a person who may control it."""
    return Device(
        name=f"{view.name} {view.person}",
        manufacturer=MANUFACTURER,
        model=model(plain_name(view.info.hardware)),
        entities=controls,
    )

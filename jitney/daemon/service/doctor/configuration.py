"""The configuration: what is wrong with it, what it forgets, and the certificate that ends."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509

from jitney.adapters.base import Found
from jitney.daemon.config.resting import resting, running
from jitney.daemon.config.schema import Config
from jitney.daemon.owners.identities import Identities
from jitney.daemon.service.doctor.case import Case
from jitney.topics import HOUSE

DAY: Final = 86_400.0
SOON: Final = 30.0
"""Days before its end that a certificate is a warning."""


def look(case: Case) -> Iterator[Found]:
    """Yield how the configuration is."""
    for problem in case.problems:
        yield Found("problem", str(problem))
    for warning in case.warnings:
        yield Found("warning", str(warning))
    if case.problems:
        return
    config = case.config
    enabled = len(running(config))
    people, adapters = _number(len(config.owners), "person", "people"), _number(enabled, "adapter", "adapters")
    yield Found("ok", f"{case.file} is right: {people}, {adapters}")
    if not config.owners:
        yield Found("note", "it names nobody: everything belongs to the house", "add a section [owners.NAME] for each")
    if away := sorted(resting(config)):
        yield Found("note", f"disabled: {', '.join(away)}", f"jitney owners enable {away[0]}")
    if unknown := _unknown(config):
        text = f"nothing outside is known to be of {', '.join(unknown)}, so that what is shared has nothing of theirs"
        yield Found("note", text, "jitney owners claim  tells whom the adapters have met")
    if not enabled:
        yield Found("warning", "no adapter is enabled: nothing will happen", "add a section [adapters.NAME]")
    if config.mqtt.cert_file:
        yield _certificate(Path(config.mqtt.cert_file), now=time.time())


def _unknown(config: Config) -> list[str]:
    """Return who is nobody to the adapters that are shared, where such an adapter tells people apart."""
    index = Identities(config)
    shared = {one.type.name for one in running(config).values() if one.owner == HOUSE and one.type.Identity is not None}
    people = [owner for owner in config.owners.values() if owner.enabled] if shared else []
    return [owner.id for owner in people if not owner.identities and not index.of(owner.id)]


def _certificate(path: Path, *, now: float) -> Found:
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return Found("problem", f"mqtt.cert_file: {path} holds no certificate", "give a readable PEM file")
    left = (ends.timestamp() - now) / DAY
    text, remedy = f"mqtt.cert_file: the certificate is good until {ends.date()}", "have a new one made"
    if left <= 0:
        return Found("problem", f"mqtt.cert_file: the certificate ended on {ends.date()}", remedy)
    return Found("warning", f"{text}, for {left:.0f} more days", remedy) if left < SOON else Found("ok", text)


def _number(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"

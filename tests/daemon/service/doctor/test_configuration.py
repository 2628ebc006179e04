from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jitney.adapters import registry
from jitney.adapters.meshtastic.config import Identity
from jitney.daemon.config.problems import Problem
from jitney.daemon.config.schema import AdapterSettings, Config, MqttSettings, OwnerSettings
from jitney.daemon.service.doctor import configuration
from tests.daemon.service.doctor.examined import case, texts


def certificate(path: Path, *, days: float) -> str:
    """Write a certificate that is good for so many days, and return where."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jitney")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return str(path)


def test_every_problem_is_told_as_jitney_check_does() -> None:
    problem = Problem("config.toml", 4, "mqtt.url", "expected a URL, got 42")
    (found,) = configuration.look(case(problems=(problem,)))
    assert (found.level, found.text) == ("problem", "config.toml:4: mqtt.url: expected a URL, got 42")


def test_an_empty_configuration_does_nothing_and_is_told_so() -> None:
    found = list(configuration.look(case()))
    assert texts(found, "ok") == ["config.toml is right: 0 people, 0 adapters"]
    assert len(texts(found, "warning")) == 1


def test_who_is_disabled_and_who_is_nobody_outside_are_told() -> None:
    shared = AdapterSettings(name="base", type=registry.adapter_type("meshtastic"), config=None)
    mesh = {"meshtastic": Identity(nodes=("!a1b2c3d4",))}
    owners = {
        "alice": OwnerSettings(id="alice", identities=mesh),
        "bob": OwnerSettings(id="bob"),
        "carol": OwnerSettings(id="carol", enabled=False),
    }
    found = list(configuration.look(case(Config(owners=owners, adapters={"base": shared}))))
    away, unknown = texts(found, "note")
    assert away == "disabled: carol"
    assert unknown.startswith("nothing outside is known to be of bob, ")
    del owners["bob"]
    assert len(texts(list(configuration.look(case(Config(owners=owners, adapters={"base": shared})))), "note")) == 1


@pytest.mark.parametrize(("days", "level"), [(400, "ok"), (20, "warning"), (-1, "problem")])
def test_the_end_of_our_certificate_is_told_in_time(tmp_path: Path, days: float, level: str) -> None:
    path = certificate(tmp_path / "ours.pem", days=days)
    found = list(configuration.look(case(Config(mqtt=MqttSettings(cert_file=path)))))
    assert found[-1].level == level


def test_a_file_without_a_certificate_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "ours.pem"
    path.write_text("nothing")
    found = list(configuration.look(case(Config(mqtt=MqttSettings(cert_file=str(path))))))
    assert (found[-1].level, "holds no certificate" in found[-1].text) == ("problem", True)

import json
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from jitney.adapters.secret import Secret
from jitney.daemon.access.dynsec import administering
from jitney.daemon.access.model import model
from jitney.daemon.access.passwords import new_password
from jitney.daemon.access.reconcile import plan
from jitney.daemon.access.render import TARGETS, Target, render
from jitney.daemon.config.schema import MqttSettings
from tests.conftest import StartBroker
from tests.fakes.walled import ADMIN, at, bare_dynsec, household

MODEL = model(household(["alice", "bob"]))
DEVICES = {"alice": ["phone", "nodered"], "_home": ["ha"], "gone": ["phone"]}


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_is_written_the_same_with_everything_to_know_in_it(target: Target) -> None:
    rendered = render(MODEL, target, DEVICES)
    turned = {"_home": ["ha"], "alice": ["nodered", "phone"]}
    assert rendered == render(model(household(["bob", "alice"])), target, turned)
    assert rendered.notes
    if target != "dynsec":
        assert [note for note in rendered.notes if note not in rendered.text] == []


def test_each_device_has_its_lines_in_an_acl_file() -> None:
    text = render(MODEL, "mosquitto-acl", DEVICES).text
    users = re.findall(r"(?m)^user (.*)$", text)
    assert users == [
        "jitney",
        "_house",
        "alice",
        "jitney-alice.nodered",
        "jitney-alice.phone",
        "bob",
        "jitney-_home.ha",
    ]
    assert "topic deny" not in text
    (phone,) = re.findall(r"user jitney-alice\.phone\n((?:topic .*\n)+)", text)
    assert phone.splitlines() == [
        "topic read jitney/_bus/+/state",
        "topic read jitney/alice/#",
        "topic write jitney/alice/command/+/+",
        "topic write jitney/alice/inbox/+/+",
    ]


def test_emqx_is_told_that_a_command_is_not_retained_and_that_nothing_else_is_allowed() -> None:
    text = render(MODEL, "emqx", {}).text
    assert '{publish, [{retain, false}]}, ["jitney/alice/command/+/+", "jitney/alice/inbox/+/+"]}.' in text
    assert text.endswith("{deny, all}.\n")
    assert [line for line in text.splitlines() if line and not re.fullmatch(r"%%.*|\{(allow|deny), .*\}\.", line)] == []


@pytest.mark.parametrize(
    ("login", "whose"),
    [
        ("alice", "alice"),
        ("jitney-alice.phone", "alice"),
        ("jitney-alice.x.y", ""),
        ("jitney-alice_phone", ""),
        ("xjitney-alice.phone", ""),
        ("jitney-alicia.phone", ""),
        ("jitney-_bus.desk", "_bus"),
        ("jitney", "_daemon"),
        ("jitney-_daemon.phone", ""),
    ],
)
def test_the_expressions_for_emqx_mean_one_principal_each(login: str, whose: str) -> None:
    text = render(MODEL, "emqx", {}).text
    found = dict.fromkeys(re.findall(r'\{re, "([^"]*)"\}', text))
    about = {MODEL.principals[one].about for one in [whose] if one}
    matching = [line for line in found if re.search(line, login)]
    assert len(matching) == len(about)
    for expression in matching:
        assert f"%% {next(iter(about))}\n" + "{allow, {username, {re, " + f'"{expression}"' in text


def test_a_root_with_special_characters_is_quoted_for_emqx() -> None:
    found = replace(household(["alice"]), mqtt=MqttSettings(topic_root='a.b(c)"d'))
    text = render(model(found), "emqx", {}).text
    assert r"^(alice|jitney@a[.]b[(]c[)]\"d-alice[.][a-z0-9][a-z0-9_-]*)$" in text
    assert r'"a.b(c)\"d/alice/#"' in text


async def test_the_commands_for_dynamic_security_can_be_sent_by_hand_and_again(
    mosquitto: StartBroker, tmp_path: Path
) -> None:
    broker = bare_dynsec(mosquitto, tmp_path)
    config = at(household(["alice"]), broker)
    who = model(config)
    document = json.loads(render(who, "dynsec", {}).text)
    async with administering(config.mqtt, ADMIN) as security:
        for number in range(2):
            for command in document["commands"]:
                if number == 0 or command["command"] != "createRole":
                    await security.ask(command)
            left = plan(who, await security.standing(), password=Secret(""))
            assert left.changes == ()


def test_passwords_are_long_different_and_easy_to_type() -> None:
    made = {new_password().reveal() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"([a-km-np-z2-9]{5}-){4}[a-km-np-z2-9]{5}", one) for one in made)

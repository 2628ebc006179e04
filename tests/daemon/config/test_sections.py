from collections.abc import Callable

import pytest

SAMPLE = '[adapters.x]\ntype = "sample"\nurl = "u"\n'


def test_an_adapter_has_the_defaults_of_its_type(read: Callable) -> None:
    adapter = read(SAMPLE).config.adapters["x"]
    assert (adapter.name, adapter.type.name, adapter.owner) == ("x", "sample", "_house")
    assert adapter.enabled
    assert adapter.durable
    assert adapter.config.url == "u"


def test_the_common_keys_of_an_adapter_are_its_settings(read: Callable) -> None:
    text = f"""{SAMPLE}
owner = "alice"
enabled = false
durable = false
retry = {{ first = 0.5, attempts = 3 }}
[owners.alice]
"""
    adapter = read(text).config.adapters["x"]
    assert (adapter.owner, adapter.enabled, adapter.durable) == ("alice", False, False)
    assert (adapter.retry.first, adapter.retry.longest, adapter.retry.attempts) == (0.5, 60.0, 3)


def test_an_owner_has_a_name_and_an_identity_for_each_type(read: Callable) -> None:
    alice = read('[owners.alice]\nname = "Alice"\nsample = { nodes = ["!1"] }').config.owners["alice"]
    assert (alice.id, alice.name) == ("alice", "Alice")
    assert alice.identities["sample"].nodes == ("!1",)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[adapters.x]", '1: adapters.x.type: missing: expected one of "anonymous", "broken", "demo"'),
        ("[adapters.x]\ntype = 1", '2: adapters.x.type: expected one of "anonymous", "broken", "demo"'),
        ('[adapters.x]\ntype = "y"', "2: adapters.x.type: there is no adapter type 'y'"),
        (
            '[adapters.x]\ntype = "broken"',
            "2: adapters.x.type: adapter type 'broken' needs jitney_sample_needs_this, which is not installed",
        ),
        ("[adapters]\nx = 1", "2: adapters.x: expected a table, got a whole number"),
        (SAMPLE + "ulr = 1", '4: adapters.x.ulr: unknown key: did you mean "url"?'),
        (SAMPLE + "durabel = true", '4: adapters.x.durabel: unknown key: did you mean "durable"?'),
        (SAMPLE + "enabled = 'yes'", '4: adapters.x.enabled: expected true or false, got "yes"'),
        (SAMPLE + "retry.first = 61", "4: adapters.x.retry.first: expected at most longest, which is 60, got 61"),
        (SAMPLE + "retry.longest = 0", "4: adapters.x.retry.longest: expected a number above 0, got 0"),
        (SAMPLE + 'owner = "bob"', "4: adapters.x.owner: there is no section [owners.bob]: give one of _house"),
        (
            SAMPLE + 'owner = "alce"\n[owners.alice]',
            '4: adapters.x.owner: there is no section [owners.alce]: did you mean "alice"?',
        ),
        (SAMPLE + 'owner = "_unclaimed"', "4: adapters.x.owner: there is no section [owners._unclaimed]"),
        (SAMPLE.replace(".x", ".Home"), "1: adapters.Home: not a name for an adapter: use 1 to 32 of a-z"),
        (SAMPLE.replace(".x", '."x\\n"'), r'1: adapters."x\n": not a name for an adapter'),
        ("[owners.Alice]", "1: owners.Alice: 'Alice' is not an owner id: use 1 to 32 of a-z"),
        ("[owners._house]", "1: owners._house: '_house' is not an owner id"),
        ("[owners]\nalice = 1", "2: owners.alice: expected a table, got a whole number"),
        ("[owners.alice]\nname = 1", "2: owners.alice.name: expected a text, got 1"),
        ("[owners.alice]\nnmae = 1", '2: owners.alice.nmae: unknown key: did you mean "name"?'),
        ("[owners.alice]\nkomoot = {}", "2: owners.alice.komoot: unknown key: "),
        ("[owners.alice]\nsample = 1", "2: owners.alice.sample: expected a table, got a whole number"),
        ("[owners.alice.sample]\nnode = 1", '2: owners.alice.sample.node: unknown key: did you mean "nodes"?'),
        ("[owners.alice.sample]\nnodes = [1]", "2: owners.alice.sample.nodes[0]: expected a text, got 1"),
        ("[owners.alice]\nanonymous = {}", "2: owners.alice.anonymous: adapters of type anonymous do not know owners"),
        ("[owners.alice]\nbroken = {}", "2: owners.alice.broken: adapter type 'broken' needs jitney_sample_needs_this"),
    ],
)
def test_what_is_wrong_in_the_sections_is_told(complaints: Callable, text: str, complaint: str) -> None:
    (told,) = complaints(text)
    assert told.startswith(complaint)


def test_every_problem_of_an_adapter_is_told_whichever_part_has_it(complaints: Callable) -> None:
    text = SAMPLE + 'owner = "bob"\nenabled = 1\nsize = 99\nx = 1\n'
    assert [line.split(":")[0] for line in complaints(text)] == ["4", "5", "6", "7"]


def test_a_type_that_is_not_installed_is_told_once(complaints: Callable) -> None:
    text = '[adapters.x]\ntype = "broken"\n[owners.alice]\nbroken = {}'
    assert len(complaints(text)) == 1


def test_what_belongs_to_one_owner_cannot_belong_to_another(complaints: Callable) -> None:
    text = """[owners.alice]
sample = { nodes = ["!1", "!2", "!2"] }
[owners.bob.sample]
nodes = ["!2"]
"""
    assert complaints(text) == [
        '3: owners.bob.sample: "!2" belongs to owner alice already (line 2): only one owner can have it'
    ]


APPS = """
[adapters.x]
type = "sample"
url = "u"
apps.main = { client_id = "12345", client_secret = "one" }
apps.more = { client_id = "12345", client_secret = "two" }
[adapters.y]
type = "sample"
url = "u"
apps.main = { client_id = "12345", client_secret = "three" }
"""


def test_what_belongs_to_one_adapter_cannot_belong_to_another(complaints: Callable) -> None:
    assert complaints(APPS) == [
        '7: adapters.y: "12345" belongs to adapter x already (line 2): only one adapter can have it'
    ]


def test_an_adapter_that_is_not_run_has_nothing_that_another_could_not_have(read: Callable) -> None:
    assert list(read(APPS + "enabled = false").config.adapters) == ["x", "y"]


def test_a_person_whom_the_keys_of_an_adapter_name_has_to_exist(complaints: Callable) -> None:
    (complaint,) = complaints(
        '[owners.alice]\n[adapters.base]\ntype = "meshtastic"\nconnection = "tcp://radio"\nallow = { alise = "*" }'
    )
    assert complaint.endswith('adapters.base.allow: there is no section [owners.alise]: did you mean "alice"?')

from pathlib import Path

import pytest

from jitney.adapters.secret import Secret
from jitney.daemon.config.load import load
from jitney.daemon.config.plan import plan
from jitney.daemon.config.problems import ConfigError
from jitney.daemon.config.schema import AccessLogin, AccessSettings, Config

LOGIN = '[access.logins.alice]\nusername = "jitney-alice.proof"\npassword = "hers"\n'
OWNER = "[owners.alice]\n"


def loaded(text: str, folder: Path) -> Config:
    file = folder / "config.toml"
    file.write_text(f"version = 1\n{text}")
    return load(file, environ={})


def complaint(text: str, folder: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        loaded(text, folder)
    (problem,) = refused.value.problems
    return str(problem).partition("config.toml:")[2]


def test_without_the_section_nothing_is_proved(tmp_path: Path) -> None:
    assert loaded(OWNER, tmp_path).access == AccessSettings(verify="off", logins={})


def test_a_proof_has_a_login_for_each_owner_that_it_tries(tmp_path: Path) -> None:
    found = loaded(f'[access]\nverify = "daily"\n{LOGIN}{OWNER}', tmp_path).access
    assert found.verify == "daily"
    assert found.logins == {"alice": AccessLogin(username="jitney-alice.proof", password=Secret("hers"))}
    assert "hers" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[access]\nverify = "start"\n', "3: access.verify: needs a login to try with"),
        (LOGIN, "2: access.logins.alice: there is no section [owners.alice]"),
        ('[access.logins._house]\nusername = "x"\n', "access.logins._house.password: missing"),
        ('[access]\nverify = "weekly"\n', '3: access.verify: expected one of "daily", "off", "start", got "weekly"'),
        (
            f'[access]\nverify = "start"\n{LOGIN}{OWNER}[mqtt]\nurl = "embedded:"\n',
            "3: access.verify: the embedded broker keeps nobody apart",
        ),
    ],
)
def test_what_cannot_be_proved_is_told(text: str, said: str, tmp_path: Path) -> None:
    assert said in complaint(text, tmp_path)


def test_a_changed_section_counts_at_once(tmp_path: Path) -> None:
    old, new = loaded(OWNER, tmp_path), loaded(f'[access]\nverify = "daily"\n{LOGIN}{OWNER}', tmp_path)
    found = plan(old, new)
    assert [str(change) for change in found.changes] == ["access changed: verify, logins"]
    assert (found.restart, found.adapters) == ((), {})

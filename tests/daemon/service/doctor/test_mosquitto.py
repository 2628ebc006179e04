from pathlib import Path

import pytest

from jitney.daemon.service.doctor import mosquitto


def written(root: Path, *lines: str) -> Path:
    file = root / mosquitto.FILE
    (file.parent / "conf.d").mkdir(parents=True)
    file.write_text("# comment\nper_listener_settings false\ninclude_dir /etc/mosquitto/conf.d\n")
    (file.parent / "conf.d/mine.conf").write_text("\n".join(lines))
    return root


@pytest.mark.parametrize(
    ("lines", "level", "says"),
    [
        ((), "note", "forgets queued and retained messages"),
        (("persistence true",), "note", "every 30 minutes"),
        (("persistence true", "autosave_interval 0"), "note", "only when it is stopped"),
        (("persistence true", "autosave_interval 60"), "ok", "keeps queued and retained messages over a restart"),
        (("persistence true", "autosave_on_changes true"), "ok", "keeps queued"),
    ],
)
def test_what_it_forgets_is_told(tmp_path: Path, lines: tuple[str, ...], level: str, says: str) -> None:
    first, second = mosquitto.look(written(tmp_path, *lines), port=1883)
    assert (first.level, says in first.text) == (level, True)
    assert second.text == "holds 1000 messages for a client that is away"


def test_the_length_of_its_queue_is_told(tmp_path: Path) -> None:
    *_, found = mosquitto.look(written(tmp_path, "max_queued_messages 0"), port=1883)
    assert found.text == "holds any number of messages for a client that is away"


def test_another_mosquitto_on_this_machine_is_not_judged_by_its_file(tmp_path: Path) -> None:
    root = written(tmp_path, "listener 8883 0.0.0.0", "listener 1884", "persistence true")
    assert [one.text for one in mosquitto.look(root, port=1883)] == [
        "whether it keeps retained messages over a restart cannot be seen from here"
    ]
    assert len(list(mosquitto.look(root, port=1884))) == 2


def test_without_its_file_nothing_is_claimed(tmp_path: Path) -> None:
    (found,) = mosquitto.look(tmp_path, port=1883)
    assert found.level == "note"

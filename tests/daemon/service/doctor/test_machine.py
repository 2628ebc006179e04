import time
from pathlib import Path

import pytest

from jitney.daemon.service.doctor import machine
from tests.daemon.service.doctor.examined import case, texts


def test_this_machine_can_be_looked_at() -> None:
    found = list(machine.look(case()))
    assert "problem" not in {one.level for one in found}
    assert any("Python 3." in one.text for one in found)


@pytest.mark.parametrize(("synchronised", "level"), [(True, "ok"), (None, "ok"), (False, "warning")])
def test_a_clock_that_nobody_sets_is_a_warning(synchronised: bool | None, level: str) -> None:  # noqa: FBT001
    (found,) = machine.clock(time.time(), synchronised=synchronised)
    assert found.level == level
    assert ("set-ntp" in found.remedy) is (level != "ok")


def test_a_clock_that_is_before_the_installation_is_wrong() -> None:
    (found,) = machine.clock(86_400.0, synchronised=None)
    assert (found.level, found.text[:20]) == ("problem", "the clock says 1970-")


@pytest.mark.parametrize(("bits", "level"), [("0", "ok"), ("50000", "warning"), ("50005", "problem")])
def test_a_raspberry_pi_tells_about_its_power(tmp_path: Path, bits: str, level: str) -> None:
    file = tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled"
    file.parent.mkdir(parents=True)
    file.write_text(bits + "\n")
    found = [one for one in machine.look(case(root=tmp_path)) if "Raspberry" in one.text]
    assert [one.level for one in found] == [level]


def test_another_machine_has_no_word_about_a_raspberry_pi(tmp_path: Path) -> None:
    assert not any("Raspberry" in text for text in texts(list(machine.look(case(root=tmp_path)))))

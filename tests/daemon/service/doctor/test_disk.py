import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jitney.adapters.base import Found
from jitney.daemon.service.doctor import disk
from tests.daemon.service.doctor.examined import case, texts

MOUNTED = "36 1 {device} / / {options} shared:1 - {kind} /dev/mmcblk0p2 {options}\n"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603 - as above
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607 - from the PATH of root


def machine(
    root: Path, *, sort: str = "SD", device: str = "179:2", kind: str = "ext4", options: str = "rw,noatime"
) -> Path:
    """Write what the kernel says of a machine with one card."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text(MOUNTED.format(device=device, kind=kind, options=options))
    part = root / "sys/devices/card/block/mmcblk0/mmcblk0p2"
    part.mkdir(parents=True)
    (part / "partition").write_text("2\n")
    (part.parent / "device").mkdir()
    (part.parent / "device/type").write_text(sort + "\n")
    (part.parent / "device/name").write_text("SU32G\n")
    (root / "sys/dev/block").mkdir(parents=True)
    (root / "sys/dev/block/179:2").symlink_to(part)
    (root / "sys/fs/ext4/mmcblk0p2").mkdir(parents=True)
    (root / "sys/fs/ext4/mmcblk0p2/errors_count").write_text("0\n")
    return part.parent / "device"


def told(root: Path, state: Path) -> list[Found]:
    """Return what is told besides the room that is left."""
    return list(disk.look(case(root=root, state=state)))[1:]


def test_an_sd_card_is_told_and_is_no_warning(tmp_path: Path) -> None:
    machine(tmp_path)
    (found,) = told(tmp_path, tmp_path / "state")
    assert found.level == "note"
    assert "an SD card (SU32G)" in found.text
    assert "backups" in found.remedy


@pytest.mark.parametrize(("info", "level"), [("0x01", "ok"), ("0x02", "warning"), ("0x03", "problem")])
def test_an_emmc_says_how_worn_out_it_is(tmp_path: Path, info: str, level: str) -> None:
    (machine(tmp_path, sort="MMC") / "pre_eol_info").write_text(info + "\n")
    assert [one.level for one in told(tmp_path, tmp_path)] == [level]


def test_a_file_system_that_had_errors_is_a_problem(tmp_path: Path) -> None:
    machine(tmp_path)
    (tmp_path / "sys/fs/ext4/mmcblk0p2/errors_count").write_text("7\n")
    assert texts(told(tmp_path, tmp_path), "problem") == ["the file system at / has had 7 errors"]


def test_a_read_only_mount_is_a_problem_with_the_remedy(tmp_path: Path) -> None:
    machine(tmp_path, options="ro,noatime")
    (found,) = (one for one in told(tmp_path, tmp_path) if one.level == "problem")
    assert "mounted read-only" in found.text
    assert "remount,rw /" in found.remedy


def test_every_reading_that_writes_is_told(tmp_path: Path) -> None:
    machine(tmp_path, options="rw")
    assert any("without noatime" in text for text in texts(told(tmp_path, tmp_path), "note"))


def test_a_state_that_is_forgotten_at_the_next_start_is_a_warning(tmp_path: Path) -> None:
    machine(tmp_path, kind="tmpfs", device="0:40")
    assert texts(told(tmp_path, tmp_path)) == ["the state is on a tmpfs, which forgets it when the machine restarts"]


def test_the_mount_of_a_folder_is_the_innermost_one_and_its_name_may_have_a_space(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 8:2 / /srv rw - ext4 /dev/sda2 rw\n"
        "3 2 8:3 / /srv/my\\040disk ro - xfs /dev/sda3 rw\n"
    )
    found = disk.mount_of(Path("/srv/my disk/state"), table)
    assert found == disk.Mount("/srv/my disk", "xfs", frozenset({"ro", "rw"}), "8:3")
    other = disk.mount_of(Path("/srvother"), table)
    assert other is not None
    assert other.place == "/"
    assert disk.mount_of(Path("/srv"), tmp_path / "none") is None


def test_a_full_disk_is_a_problem(small: Path) -> None:
    (small / "filler").write_bytes(b"x" * (3 << 20))
    found = list(disk.look(case(state=small / "state")))
    assert (found[0].level, found[0].text) == ("problem", "1 MB are free where the state is")
    assert "refused when it is full" in found[0].remedy
    assert any("tmpfs" in text for text in texts(found, "warning"))


def test_a_disk_that_what_waits_could_fill_is_a_warning() -> None:
    assert disk._room(200, wanted=512).level == "warning"
    assert "outbox.disk_mb" in disk._room(200, wanted=512).remedy
    assert disk._room(5000, wanted=512).level == "ok"

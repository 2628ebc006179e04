import re
import signal
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from jitney.daemon import cli
from jitney.daemon.cli import main
from jitney.daemon.config.problems import ConfigError, Problem
from jitney.topics import JitneyError
from tests.daemon.cli.conftest import publisher
from tests.fakes.mosquitto import Broker

COMMAND = [sys.executable, "-m", "jitney.daemon.cli"]


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make `jitney fail` a command that raises."""

    def with_error(error: BaseException) -> None:
        def run(_: object) -> int:
            raise error

        module = ModuleType("failing")
        module.__dict__["add"] = lambda commands: commands.add_parser("fail").set_defaults(run=run)
        monkeypatch.setitem(sys.modules, "failing", module)
        monkeypatch.setitem(cli.COMMANDS, "fail", ("failing", "fail"))

    return with_error


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_the_help_of_every_command_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "-h"]) == 0
    _, _, examples = capsys.readouterr().out.lower().rpartition("example")
    assert f"jitney {command}" in examples


def test_the_help_lists_every_command_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert [name for name in cli.COMMANDS if not re.search(rf"\n    {name}\s+\S", text)] == []


def test_no_command_is_wrong_usage_and_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "commands:" in capsys.readouterr().err


@pytest.mark.parametrize(("word", "hint"), [("tial", "did you mean 'tail'?"), ("xyzzy", "it is one of run, demo")])
def test_an_unknown_command_is_wrong_usage_with_a_hint(
    word: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["tail", "--colour"], ["send", "alice"], ["demo", "--rate", "fast"]])
def test_wrong_arguments_are_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: jitney" in capsys.readouterr().err


def modules_after(code: str) -> set[str]:
    done = subprocess.run(  # noqa: S603 - this Python
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return set(done.stdout.split())


def test_help_imports_nothing_that_it_does_not_need() -> None:
    loaded = modules_after("from jitney.daemon.cli import main; main(['--help'])")
    assert loaded & {"msgspec", "structlog", "aiomqtt", "asyncio", "jitney.topics"} == set()


def test_run_imports_neither_the_client_of_the_other_commands_nor_paho() -> None:
    loaded = modules_after("from jitney.daemon.cli import main; main(['run', '-h'])")
    assert "jitney.daemon.app" in loaded
    assert loaded & {"aiomqtt", "paho", "amqtt", "rich", "jitney.daemon.cli.tail"} == set()


def test_a_wrong_configuration_is_told_line_by_line_with_its_own_status(
    fails: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fails(ConfigError([Problem("c.toml", 3, "mqtt.url", "expected a URL"), Problem("c.toml", 0, "", "no owners")]))
    assert main(["fail"]) == 78
    assert capsys.readouterr().err == "c.toml:3: mqtt.url: expected a URL\nc.toml: no owners\n"


def test_an_error_on_purpose_is_told_without_a_traceback(
    fails: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fails(JitneyError("the broker is not there: start it"))
    assert main(["fail"]) == 1
    assert capsys.readouterr().err == "jitney: the broker is not there: start it\n"


def test_errors_on_purpose_in_a_group_are_each_told(
    fails: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fails(ExceptionGroup("", [JitneyError("first"), ExceptionGroup("", [JitneyError("second")])]))
    assert main(["fail"]) == 1
    assert capsys.readouterr().err == "jitney: first\njitney: second\n"


def test_a_fault_of_our_own_is_not_hidden(fails: Callable[[BaseException], None]) -> None:
    fails(ExceptionGroup("", [JitneyError("expected"), ZeroDivisionError()]))
    with pytest.raises(ExceptionGroup):
        main(["fail"])
    fails(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["fail"])


def test_ctrl_c_has_the_status_that_a_shell_expects(fails: Callable[[BaseException], None]) -> None:
    fails(KeyboardInterrupt())
    assert main(["fail"]) == 130


def test_ctrl_c_ends_a_command_that_waits_without_a_traceback(broker: Broker) -> None:
    with subprocess.Popen(  # noqa: S603 - this Python
        [*COMMAND, "tail", "--mqtt", broker.url, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tail:
        publisher(broker)("_bus/main/state", '{"state":"online"}', retain=True)
        assert tail.stdout is not None
        assert '"online"' in tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        _, err = tail.communicate(timeout=20)
    assert (tail.returncode, err) == (130, "")


def test_a_reader_that_has_gone_ends_a_command_without_a_traceback(broker: Broker) -> None:
    with subprocess.Popen(  # noqa: S603 - this Python
        [*COMMAND, "tail", "--mqtt", broker.url, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tail:
        publisher(broker)("_bus/main/state", '{"state":"online"}', retain=True)
        assert tail.stdout is not None
        assert tail.stderr is not None
        tail.stdout.readline()
        tail.stdout.close()
        publisher(broker)("_bus/main/state", '{"state":"offline"}')
        err = tail.stderr.read()
    assert (tail.returncode, err) == (141, "")

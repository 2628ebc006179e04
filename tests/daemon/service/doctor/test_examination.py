import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from jitney.adapters.base import Found
from jitney.adapters.secret import Secret
from jitney.daemon import log
from jitney.daemon.service.doctor.case import Case, Heard
from jitney.daemon.service.doctor.examination import Check, examine, in_thread
from jitney.daemon.service.doctor.findings import Finding, counts, is_well, verdict
from jitney.topics import JitneyError
from tests.daemon.service.doctor.examined import case

SECRET = "canary-8d13f0a2"


@pytest.fixture(autouse=True)
def forget_secrets() -> Iterator[None]:
    yield
    log.reset()


def saying(*found: Found) -> Check:
    async def look(_: Case) -> AsyncIterator[Found]:
        for one in found:
            yield one

    return Check("it", look)


async def hanging(_: Case) -> AsyncIterator[Found]:
    yield Found("ok", "begun")
    await asyncio.Event().wait()


async def failing(_: Case) -> AsyncIterator[Found]:
    yield Found("ok", "begun")
    raise ValueError(SECRET)


async def refusing(_: Case) -> AsyncIterator[Found]:
    yield Found("ok", "begun")
    raise JitneyError("the house is dark")


async def test_what_was_found_is_told_in_the_order_of_the_checks() -> None:
    second = Check("second", saying(Found("note", "b", "do it")).look)
    assert await examine(case(), [saying(Found("ok", "a")), second]) == [
        Finding("ok", "it", "a"),
        Finding("note", "second", "b", "do it"),
    ]


async def test_checks_run_side_by_side_and_one_that_hangs_is_a_finding() -> None:
    both = threading.Barrier(2)

    def meet(_: Case) -> Iterator[Found]:
        both.wait(10)
        yield Found("ok", "met")

    checks = [Check("left", in_thread(meet)), Check("hung", hanging), Check("right", in_thread(meet))]
    findings = await examine(case(), checks, seconds=0.5)
    assert [(one.what, one.level, one.text) for one in findings] == [
        ("left", "ok", "met"),
        ("hung", "ok", "begun"),
        ("hung", "problem", "was not done within 0.5 s"),
        ("right", "ok", "met"),
    ]


async def test_a_thread_that_hangs_holds_nobody_up() -> None:
    released = threading.Event()

    def hang(_: Case) -> Iterator[Found]:
        released.wait(60)
        yield Found("ok", "never told")

    try:
        (finding,) = await examine(case(), [Check("disk", in_thread(hang))], seconds=0.1)
        assert finding.level == "problem"
        await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 5)
        assert not released.is_set()
    finally:
        released.set()


async def test_a_fault_of_a_check_is_a_finding_that_shows_nothing_of_what_it_was_about() -> None:
    findings = await examine(case(), [Check("it", failing), saying(Found("ok", "a"))])
    assert [one.level for one in findings] == ["ok", "problem", "ok"]
    assert findings[1].text.startswith("could not be looked at: ValueError at test_examination.py:")
    assert SECRET not in findings[1].text


async def test_an_error_with_words_for_a_person_is_told_in_them() -> None:
    findings = await examine(case(), [Check("it", refusing)])
    assert findings[1] == Finding("problem", "it", "the house is dark")


async def test_no_secret_and_nothing_that_moves_the_cursor_is_told_whoever_wrote_it() -> None:
    log.register(Secret(SECRET))
    (finding,) = await examine(case(), [saying(Found("note", f"x {SECRET}\x1b[2J", f"y {SECRET}\n"))])
    assert "8d13" not in finding.text + finding.remedy
    assert (finding.text + finding.remedy).isprintable()


async def test_offline_the_broker_is_known_not_to_be_reached() -> None:
    async def look(of: Case) -> AsyncIterator[Found]:
        yield Found("ok", str((await of.heard()).reached))

    (finding,) = await examine(case(offline=True), [Check("it", look)])
    assert finding.text == "False"


async def test_what_the_broker_retains_is_told_once() -> None:
    of = case()
    of.tell(Heard(reached=True))
    of.tell(Heard())
    assert (await of.heard()).reached


@pytest.mark.parametrize(
    ("levels", "well", "says"),
    [
        (["ok", "note"], True, "All is well; 2 things looked at."),
        (["ok", "warning"], True, "It works, but there is something to look after: 1 warning; 2 things looked at."),
        (["problem"], False, "Something does not work: 1 problem; 1 things looked at."),
        (
            ["problem", "problem", "warning", "ok"],
            False,
            "Something does not work: 2 problems and 1 warning; 4 things looked at.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(levels: list[str], well: bool, says: str) -> None:  # noqa: FBT001
    findings = [Finding(level, "it", "x") for level in levels]  # type: ignore[arg-type] - as written above
    assert (is_well(findings), verdict(findings)) == (well, says)
    assert sum(counts(findings).values()) == len(levels)

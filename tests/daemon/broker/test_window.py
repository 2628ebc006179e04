"""The window: what is on its way, in order, over sessions."""

from hypothesis import given
from hypothesis import strategies as st

from jitney.daemon.broker.session import Message
from jitney.daemon.broker.window import LAST_ID, Window


def messages(number: int) -> list[Message]:
    return [Message(str(index), b"") for index in range(number)]


def test_packet_ids_wrap_around_without_touching_one_that_is_in_flight() -> None:
    window = Window(10)
    (stuck,) = window.launch(messages(1))
    for _ in range(LAST_ID):
        ((packet_id, message),) = window.launch(messages(1))
        assert packet_id != stuck[0]
        assert 1 <= packet_id <= LAST_ID
        assert window.land(packet_id) is message
    assert window.unconfirmed() == [stuck]


@given(st.lists(st.integers(0, 20)))
def test_what_was_not_answered_is_sent_again_in_the_order_of_its_first_sending(answers: list[int]) -> None:
    window = Window(100)
    flying = window.launch(messages(20))
    left = list(flying)
    for answer in answers:
        if answer < len(left):
            packet_id, message = left.pop(answer)
            assert window.land(packet_id) is message
    assert window.unconfirmed() == left
    assert window.room == 100 - len(left)


def test_an_answer_to_something_unknown_is_nothing() -> None:
    assert Window(5).land(17) is None

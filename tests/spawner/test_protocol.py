"""The messages between workers and spawners."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkhttpd.channel import MESSAGE_SIZE
from forkhttpd.spawner.protocol import (
    Exited,
    How,
    Kill,
    Message,
    ProtocolError,
    Reason,
    Refused,
    Start,
    Started,
    TooLongError,
    decode,
    encode,
)

ids = st.integers(0, 2**64 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
seconds = st.floats(allow_nan=False)
strings = st.binary(max_size=40).map(lambda data: data.replace(b"\0", b""))
names = strings.map(lambda data: b"K" + data.replace(b"=", b""))
starts = st.builds(
    Start,
    ids,
    st.builds(lambda first, rest: (b"/" + first, *rest), strings, st.lists(strings)),
    st.dictionaries(names, strings),
    strings,
    st.booleans(),
    strings,
    st.integers(0, 2**32 - 1),
)
messages = st.one_of(
    starts,
    st.builds(Kill, ids, st.sampled_from(How)),
    st.builds(Started, ids, int32, seconds),
    st.builds(Refused, ids, st.sampled_from(Reason), int32),
    st.builds(Exited, ids, int32, seconds, seconds, st.integers(0, 2**64 - 1), seconds),
)
START = Start(1, (b"/bin/true",), {b"A": b"1"}, b"/", False)


@given(messages)
def test_every_message_reads_back_as_it_was(message: Message) -> None:
    again = decode(encode(message))
    assert again == message
    assert type(again) is type(message)


@given(st.binary(max_size=200))
def test_garbage_is_a_protocol_error_and_never_anything_else(data: bytes) -> None:
    try:
        decode(data)
    except ProtocolError:
        return


@given(messages, st.data())
def test_a_damaged_message_is_a_protocol_error_or_another_message(
    message: Message, data: st.DataObject
) -> None:
    good = encode(message)
    place = data.draw(st.integers(0, len(good) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=8))
    try:
        decode(good[:place] + damage + good[place + len(damage) :])
    except ProtocolError:
        return


@given(messages, st.data())
def test_a_cut_or_lengthened_message_is_refused(message: Message, data: st.DataObject) -> None:
    good = encode(message)
    for bad in (good[: data.draw(st.integers(0, len(good) - 1))], good + b"\0"):
        with pytest.raises(ProtocolError):
            decode(bad)


@pytest.mark.parametrize(
    "start",
    [
        START._replace(argv=()),
        START._replace(argv=(b"",)),
        START._replace(argv=(b"/bin/true", b"a\0b")),
        START._replace(cwd=b"/a\0b"),
        START._replace(share=b"a\0b"),
        START._replace(env={b"A": b"1\0B=2"}),
        START._replace(env={b"A\0B": b"1"}),
        START._replace(env={b"": b"value"}),
        START._replace(id=-1),
        START._replace(id=2**64),
    ],
)
def test_what_no_program_can_be_given_is_refused_by_the_sender_already(start: Start) -> None:
    with pytest.raises(ProtocolError):
        encode(start)


def test_what_no_program_can_be_given_is_refused_by_the_receiver_too() -> None:
    good = encode(START)
    for bad in (good.replace(b"A=1", b"A\x001"), good.replace(b"A=1", b"=11")):
        with pytest.raises(ProtocolError):
            decode(bad)


def test_unknown_numbers_are_refused() -> None:
    kill, refused = encode(Kill(1, How.NOW)), encode(Refused(1, Reason.SYSTEM, 2))
    for bad in (kill[:-2] + b"\x09\0", refused[:9] + b"\x63" + refused[10:], b"\xff" + kill[1:]):
        with pytest.raises(ProtocolError):
            decode(bad)


def test_a_length_beyond_the_end_is_refused() -> None:
    good = encode(START._replace(env={}))
    length = struct.pack("=I", len(b"/\0\0/bin/true"))
    assert good.count(length) == 1
    with pytest.raises(ProtocolError, match="promised"):
        decode(good.replace(length, struct.pack("=I", 2**32 - 1)))


def test_a_count_beyond_the_end_is_refused() -> None:
    good = encode(START._replace(env={}))
    head = struct.calcsize("=BQ??II")  # up to the count of the environment
    with pytest.raises(ProtocolError):
        decode(good[:head] + struct.pack("=I", 2**32 - 1) + good[head + 4 :])


def test_the_longest_environment_that_fits_a_message_fits_and_one_byte_more_is_too_long() -> None:
    overhead = len(encode(START._replace(env={b"A": b""})))
    longest = START._replace(env={b"A": b"x" * (MESSAGE_SIZE - overhead)})
    assert len(encode(longest)) == MESSAGE_SIZE
    with pytest.raises(TooLongError):
        encode(longest._replace(cwd=b"//"))

"""Arbitrary protobuf messages: any field, any value that fits into it."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

M = TypeVar("M", bound=Message)

_DEEP: Final = 2
_MOST_REPEATED: Final = 12

_U32 = st.integers(0, 2**32 - 1)
_I32 = st.integers(-(2**31), 2**31 - 1)
_SCALARS: Final[dict[int, st.SearchStrategy[Any]]] = {
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: _I32,
    FieldDescriptor.TYPE_SINT32: _I32,
    FieldDescriptor.TYPE_SFIXED32: _I32,
    FieldDescriptor.TYPE_UINT32: _U32,
    FieldDescriptor.TYPE_FIXED32: _U32,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: st.text(max_size=40),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=40),
    FieldDescriptor.TYPE_ENUM: st.integers(0, 130) | _I32,
}


def messages(kind: type[M], *, deep: int = _DEEP) -> st.SearchStrategy[M]:
    """Return messages of a kind with any of their fields set."""
    return _fields(kind.DESCRIPTOR, deep).map(_filled(kind))


def _fields(descriptor: Descriptor, deep: int) -> st.SearchStrategy[dict[str, Any]]:
    usable = [field for field in descriptor.fields if deep or field.message_type is None]
    return st.fixed_dictionaries({}, optional={field.name: _values(field, deep) for field in usable})


def _values(field: FieldDescriptor, deep: int) -> st.SearchStrategy[Any]:
    if field.message_type is None:
        one = _SCALARS[field.type]
    else:
        one = messages(GetMessageClass(field.message_type), deep=deep - 1)
    return st.lists(one, max_size=_MOST_REPEATED) if field.is_repeated else one


def _filled(kind: type[M]) -> Callable[[dict[str, Any]], M]:
    def fill(fields: dict[str, Any]) -> M:
        message = kind()
        for name, value in fields.items():
            if isinstance(value, Message):
                getattr(message, name).CopyFrom(value)
            elif isinstance(value, list):
                getattr(message, name).extend(value)
            else:
                setattr(message, name, value)
        return message

    return fill

"""A message in which every field says something, and each something else."""

from itertools import count

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

F = FieldDescriptor
_DEPTH = 3


def filled(message_class):
    """Every field of the class is set, those of its messages too; of a oneof, the last one."""
    return _filled(message_class, count(1), _DEPTH)


def _filled(message_class, numbers, depth):
    message = message_class()
    for field in message_class.DESCRIPTOR.fields:
        if field.type == F.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
            _fill_map(getattr(message, field.name), field.message_type, numbers, depth)
        elif field.type == F.TYPE_MESSAGE:
            if depth:
                value = _filled(GetMessageClass(field.message_type), numbers, depth - 1)
                target = getattr(message, field.name)
                target.append(value) if field.is_repeated else target.CopyFrom(value)
        elif field.is_repeated:
            getattr(message, field.name).extend([_scalar(field, numbers), _scalar(field, numbers)])
        else:
            setattr(message, field.name, _scalar(field, numbers))
    return message


def _fill_map(target, entry, numbers, depth):
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    if value.type != F.TYPE_MESSAGE:
        target[_scalar(key, numbers)] = _scalar(value, numbers)
    elif depth:
        target[_scalar(key, numbers)].CopyFrom(_filled(GetMessageClass(value.message_type), numbers, depth - 1))


def _scalar(field, numbers):
    number = next(numbers)
    if field.type == F.TYPE_STRING:
        return f"text {number}"
    if field.type == F.TYPE_BYTES:
        return f"bytes {number}".encode()
    if field.type == F.TYPE_BOOL:
        return True
    if field.type == F.TYPE_ENUM:
        return field.enum_type.values[-1].number
    return number

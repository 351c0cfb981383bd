"""Reads the event files of TensorBoard."""

import struct

import pytest


def events(folder):
    """The events of all files in a folder, in the order of their writing."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    for file in sorted(folder.iterdir()):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack_from("<Q", data, at)
            yield event_pb2.Event.FromString(data[at + 12 : at + 12 + size])
            at += 16 + size


def scalars_of(folder):
    """Tag, epoch and value, without the events that a restart has made void."""
    valid = []
    for event in events(folder):
        if event.session_log.status == event.session_log.START:
            valid = [row for row in valid if row[1] < event.step]
        valid += [(v.tag, event.step, v.simple_value) for v in event.summary.value]
    return valid

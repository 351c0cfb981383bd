"""What a folder may hold after the power fails: a simulation of recorded system calls.

Only what was synced is sure. The data of a file that was not synced since it changed may be its
old data, nothing, or a part. A change of names that was not followed by a sync of its directory may
have happened or not, whatever happened to the others: that is more than a journal allows, and all
that POSIX promises.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Call(NamedTuple):
    """A recorded call, or a `mark`, with its paths, and what was written where."""

    what: str
    path: str
    other: str
    offset: int
    data: bytes


def read_record(path):
    """Yields the calls that `writing_calls.c` recorded."""
    with Path(path).open("rb") as file:
        while line := file.readline():
            what, first, other, offset, size = line.decode().rstrip("\n").split("\t")
            yield Call(what, first, other, int(offset), file.read(int(size)))


@dataclass(eq=False)
class Node:
    """A file or a directory, whatever its name is."""

    directory: bool = False
    data: bytes = b""
    synced: bytes = b""
    dirty: bool = False
    names: dict = field(default_factory=dict)

    def write(self, offset, data):
        before = self.data[:offset].ljust(offset, b"\0")
        self.set(before + data + self.data[offset + len(data) :])

    def set(self, data):
        self.data, self.dirty = data, True

    def sync(self):
        self.synced, self.dirty = self.data, False


DATA = {
    "all": lambda node: node.data,
    "the old": lambda node: node.synced,
    "nothing": lambda node: b"" if node.dirty else node.data,
    "half": lambda node: node.data[: len(node.data) // 2] if node.dirty else node.data,
}
"""What a file may hold."""


class Edit(NamedTuple):
    """A change of a name in a directory."""

    directory: Node
    name: str
    node: Node
    present: bool


@dataclass(eq=False)
class Change:
    """What one call does to names, all or nothing."""

    edits: list
    sure: bool = False


class Disk:
    """Does the calls one after another, and tells what is left if the power fails now."""

    def __init__(self, root):
        self.root, self.top, self.changes = root, Node(directory=True), []

    def find(self, path):
        """Returns the directory, the name and, if it exists, the node of a path."""
        *parents, name = Path(path).relative_to(self.root).parts or ("",)
        directory = self.top
        for parent in parents:
            directory = directory.names[parent]
        return directory, name, directory.names.get(name) if name else self.top

    def do(self, call):
        """Does a call."""
        getattr(self, f"_{call.what}")(call)

    def change(self, *edits):
        change = Change(edits)
        apply(change)
        self.changes.append(change)

    def _mark(self, call):
        pass

    def _mkdir(self, call):
        directory, name, _ = self.find(call.path)
        self.change(Edit(directory, name, Node(directory=True), True))

    def _create(self, call):
        directory, name, _ = self.find(call.path)
        self.change(Edit(directory, name, Node(), True))

    def _truncate(self, call):
        self.find(call.path)[2].set(b"")

    def _cut(self, call):
        node = self.find(call.path)[2]
        node.set(node.data[: int(call.other)].ljust(int(call.other), b"\0"))

    def _write(self, call):
        if not call.path.endswith(" (deleted)"):
            self.find(call.path)[2].write(call.offset, call.data)

    def _drop(self, call):
        self.change(Edit(*self.find(call.path), False))

    def _rename(self, call):
        old, new = self.find(call.path), self.find(call.other)
        self.change(Edit(*old, False), Edit(*new[:2], old[2], True))

    def _link(self, call):
        self.change(Edit(*self.find(call.other)[:2], self.find(call.path)[2], True))

    def _sync(self, call):
        node = self.find(call.path)[2]
        node.sync()
        for change in self.changes:
            change.sure |= any(edit.directory is node for edit in change.edits)

    def left(self, data, rng=None, share=0.0):
        """Returns the files and directories that are left, by their path.

        Args:
            data: a name of `DATA`.
            rng: which of the changes of names that were not synced have happened.
            share: how many of them have.
        """
        nodes = {self.top: {}}
        for change in self.changes:
            if change.sure or share == 1 or (rng is not None and rng.random() < share):
                for directory, name, node, present in change.edits:
                    names = nodes.setdefault(directory, {})
                    if present:
                        names[name] = node
                    elif names.get(name) is node:
                        del names[name]
        found = {}

        def walk(node, path):
            for name, below in nodes.get(node, {}).items():
                found[f"{path}{name}"] = None if below.directory else DATA[data](below)
                walk(below, f"{path}{name}/")

        walk(self.top, "")
        return found


def apply(change):
    for directory, name, node, present in change.edits:
        if present:
            directory.names[name] = node
        else:
            del directory.names[name]


def write_state(folder, state):
    """Makes a folder that holds what is left."""
    folder.mkdir(parents=True)
    for name, data in state.items():
        if data is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(data)

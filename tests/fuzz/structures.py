"""Damage to files that keeps their form: members of zip archives, and values of JSON."""

import contextlib
import io
import json
import warnings
import zipfile

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
NAMES = ("x.npy", "x", "__MACOSX/._x.npy", "readme.txt", "../x.npy", "a/", "/x.npy", ".", "é.npy")
HEADER = "{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}"
TYPES = ("'<f4'", "'>f8'", "'|O'", "'<U9'", "'|V8'", "'<M8[s]'", "[('a', '<i4')]", "'|u1'", "'x'")
SHAPES = ("()", "(1,)", "(2, 3)", "(-1,)", "(0, 9)", "(10**9,)", "(2**40, 2**40)", "(300000000,)")


def damage_zip(random, content, damage):
    """An archive with members that are damaged, missing, added, renamed or packed otherwise."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    for _ in range(random.choice([1, 1, 2])):
        if members:
            _change(random, members, damage)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, warnings.catch_warnings(action="ignore"):
        for name, member in members:
            archive.writestr(name, member, random.choice(METHODS), 1)
    return stream.getvalue()


def _change(random, members, damage):
    at = random.randrange(len(members))
    name, content = members[at]
    kind = random.choice(["damage"] * 4 + ["header"] * 3 + ["drop", "twice", "rename", "add"])
    if kind == "damage":
        members[at] = name, damage(random, content)
    elif kind == "header":
        members[at] = name, npy_header(random) + content[128:]
    elif kind == "drop":
        del members[at]
    elif kind == "twice":
        members.insert(0, members[at])
    elif kind == "rename":
        members[at] = random.choice(NAMES), content
    else:
        size = random.choice([0, 10, 10, 2**20, 2**26, 2**28 if random.randrange(4) == 0 else 9])
        members.append((random.choice(NAMES), random.choice([b"", content]) + bytes(size)))


def npy_header(random):
    """The start of an array's file whose header makes a random promise."""
    text = HEADER.format(
        random.choice(TYPES), random.choice(["True", "False"]), random.choice(SHAPES)
    ).encode()
    return b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text


VALUES = (
    *(None, True, -1, 0, 2.5, 10**30, 2**63, float("nan"), float("-inf"), "", "text", "\ud800"),
    *("../x", "a\0b", "é" * 5000, [], {}, [None], {"": ""}, [[[]]], "<script>", "9" * 5000),
)


def damage_json(random, content, damage):
    """JSON with other values, or without or with more of them; or damaged as bytes."""
    value = None
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(content)
    if not isinstance(value, dict | list) or random.randrange(4) == 0:
        return content[: random.randrange(len(content))] + random.choice([b"", b"[" * 100_000])
    for _ in range(random.choice([1, 1, 2, 3])):
        _change_json(random, value)
    return json.dumps(value).encode()


def _change_json(random, value):
    inner = value
    while True:
        places = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not places:
            return
        at = random.choice(places)
        if not isinstance(inner[at], dict | list) or random.randrange(4) == 0:
            break
        inner = inner[at]
    kind = random.choice(["set", "set", "delete", "move"])
    if kind == "set":
        inner[at] = random.choice(VALUES)
    elif kind == "delete":
        del inner[at]
    else:
        inner[at], inner[random.choice(places)] = inner[random.choice(places)], inner[at]

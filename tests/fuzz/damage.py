"""Seeded damage to files: to their bytes, the numbers in them, and what is packed in them.

Every function takes a `random.Random`, so that a seed names its damage.
"""

import bz2
import gzip
import hashlib
import lzma
import re
from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz import structures

EXTREMES = (0, 1, -1, 2**7, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)
DIGITS = ("0", "-1", "007", "2147483648", "9223372036854775808", "9" * 30, "1e400", "nan", "-0.0")
NUMBER = re.compile(rb"\d+(?:\.\d+)?")


def place(random, content):
    """A position, as often near the start, where headers are, as anywhere."""
    return random.randrange(max(min(len(content), random.choice([64, len(content)])), 1))


def flip(random, content):
    """Changes bits of one byte."""
    if content:
        content[place(random, content)] ^= random.randrange(1, 256)


def cut(random, content):
    """Cuts off the end."""
    del content[place(random, content) :]


def add(random, content):
    """Adds bytes after the end."""
    content += random.randbytes(random.randrange(1, 10))


def take(random, content):
    """Takes out a few bytes."""
    at = place(random, content)
    del content[at : at + random.randrange(1, 10)]


def put(random, content):
    """Puts in a few bytes."""
    at = place(random, content)
    content[at:at] = random.randbytes(random.randrange(1, 10))


def repeat(random, content):
    """Writes a block twice or more, somewhere else."""
    at, length = place(random, content), random.randrange(1, 200)
    to = place(random, content)
    content[to:to] = content[at : at + length] * random.choice([1, 1, 2, 50])


def swap(random, content):
    """Exchanges two blocks of equal length."""
    length = random.randrange(1, 50)
    a, b = (place(random, content) for _ in range(2))
    one, other = content[a : a + length], content[b : b + length]
    content[a : a + length], content[b : b + length] = other, one


def blank(random, content):
    """Fills a block with zeros, as after a loss of power."""
    at = place(random, content)
    length = min(random.randrange(1, 4096), len(content) - at)
    content[at : at + length] = bytes(length)


def set_integer(random, content):
    """Replaces a binary integer by an extreme one, of any width and order."""
    size, order = random.choice([1, 2, 4, 8]), random.choice(["little", "big"])
    number = random.choice(EXTREMES) % 2 ** (8 * size)
    at = place(random, content)
    content[at : at + size] = number.to_bytes(size, order)


def set_digits(random, content):
    """Replaces a number written in digits by an extreme one."""
    found = list(NUMBER.finditer(content))
    if found:
        number = random.choice([found[0], random.choice(found)])
        content[number.start() : number.end()] = random.choice(DIGITS).encode()


DAMAGES = (flip, flip, cut, add, take, put, repeat, swap, blank, set_integer, set_digits)


def damage_bytes(random, content):
    """The bytes of a file after up to three damages, or any bytes."""
    if random.randrange(20) == 0:
        return random.randbytes(random.randrange(60))
    content = bytearray(content)
    for change in random.choices(DAMAGES, k=random.randrange(4)):
        change(random, content)
    return bytes(content)


class Layer(NamedTuple):
    """Describes what packs content, or vouches for it."""

    start: re.Pattern[bytes]
    unpack: Callable[[bytes], bytes]
    pack: Callable[[bytes], bytes]
    repeats: bool = False
    """Whether several may follow each other in a file, as a bomb of small parts does."""


def sign(text):
    """The bytes of a manifest: the sha256 of its text, and the text."""
    return hashlib.sha256(text).hexdigest().encode() + b"\n" + text


LAYERS = (
    Layer(re.compile(rb"\x1f\x8b\x08"), gzip.decompress, lambda c: gzip.compress(c, 1), True),
    Layer(re.compile(rb"\xfd7zXZ\0"), lzma.decompress, lambda c: lzma.compress(c, preset=0), True),
    Layer(re.compile(rb"BZh"), bz2.decompress, lambda c: bz2.compress(c, 1), True),
    Layer(re.compile(rb"[0-9a-f]{64}\n"), lambda c: c.partition(b"\n")[2], sign),
)
STRUCTURES = (
    (re.compile(rb"PK\x03\x04"), structures.damage_zip),
    (re.compile(rb"\s*[\[{]"), structures.damage_json),
)
FILLING = (b"\0", b"a ", b"a\n", b"1 ", b"word")


def damage(random, content):
    """Damage to any layer of a file: to its bytes, its structure, or what is packed in it."""
    if random.randrange(3) == 0:
        return damage_bytes(random, content)
    for layer in LAYERS:
        if layer.start.match(content):
            if layer.repeats and random.randrange(60) == 0:
                return content + layer.pack(random.choice(FILLING) * 2**22) * 300
            return layer.pack(damage(random, layer.unpack(content)))
    for start, change in STRUCTURES:
        if start.match(content):
            return change(random, content, damage)
    return damage_bytes(random, content)


def damage_files(random, files):
    """Damage to one or two files of a folder, or to which files there are: `{name: content}`."""
    damaged = dict(files)
    for name in random.sample(sorted(files), min(len(files), random.choice([1, 1, 1, 2]))):
        if len(files) == 1 or random.randrange(12):
            damaged[name] = damage(random, files[name])
        else:
            _misplace(random, files, name, damaged)
    return damaged


def _misplace(random, files, name, damaged):
    other = random.choice(sorted(files))
    kind = random.choice(["delete", "exchange", "copy", "beside"])
    if kind == "delete":
        del damaged[name]
    elif kind == "exchange":
        damaged |= {name: files[other], other: files[name]}
    elif kind == "copy":
        damaged[name] = files[other]
    else:
        damaged[name + random.choice(["~", ".gz", ".json", "0"])] = files[other]

"""ROOT files that were damaged on their way: each seed damages a file in one way, always the same."""

import random
from collections.abc import Callable

HEADER = 300  # bytes: the file's own header and the name of its first key


def mutated(content: bytes, seed: int) -> tuple[str, bytes]:
    """Return the kind of damage that a seed does, and the damaged content."""
    chance = random.Random(seed)
    kind, damage = KINDS[seed % len(KINDS)]
    return kind, damage(content, chance)


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _flip(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 8, 64))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _header(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.randrange(1, 9)):
        damaged[chance.randrange(HEADER)] = chance.randrange(256)
    return bytes(damaged)


def _zeros(content: bytes, chance: random.Random) -> bytes:
    start, length = chance.randrange(len(content)), chance.choice((16, 512, 4096))
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


def _hole(content: bytes, chance: random.Random) -> bytes:
    start, length = chance.randrange(len(content)), chance.choice((1, 16, 4096))
    return content[:start] + content[start + length :]


def _noise(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    noise = chance.randbytes(min(chance.choice((16, 512, 4096)), len(content) - start))
    return content[:start] + noise + content[start + len(noise) :]


def _moved(content: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    return content[end:] + content[start:end] + content[:start]


def _numbers(content: bytes, chance: random.Random) -> bytes:
    """Put the largest numbers where lengths and positions may stand."""
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 4))):
        at = chance.randrange(len(damaged) - 4)
        damaged[at : at + 4] = chance.choice((b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00"))
    return bytes(damaged)


KINDS: tuple[tuple[str, Callable[[bytes, random.Random], bytes]], ...] = (
    ("cut off", _cut),
    ("bits flipped", _flip),
    ("header damaged", _header),
    ("zeros written", _zeros),
    ("bytes lost", _hole),
    ("noise written", _noise),
    ("parts moved", _moved),
    ("numbers too large", _numbers),
)

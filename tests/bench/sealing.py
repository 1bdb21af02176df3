"""Sealing a file, beside the bare cipher."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt

from tests.bench.figures import Figure, beside, interleaved
from whistle.protocol.case.attachment import Sealer

PIECE = os.urandom(65_536)
MIB = 1024 * 1024
PEAK = """
import os, resource
from whistle.protocol.case.attachment import Sealer
piece, sealer = os.urandom(65_536), Sealer()
def seal(mib):
    for _ in range(16 * mib): sealer.update(piece)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(seal(16), seal({size}))
"""


def bare(pieces: int) -> None:
    """PyNaCl's ChaCha20-Poly1305, nothing else."""
    key = os.urandom(32)
    for number in range(pieces):
        crypto_aead_chacha20poly1305_ietf_encrypt(PIECE, None, number.to_bytes(12, "big"), key)


def seal(pieces: int) -> None:
    """An attachment, hash and all."""
    sealer = Sealer()
    for _ in range(pieces):
        sealer.update(PIECE)
    sealer.finish("film.mp4", "video/mp4")


def rate(work: object, mib: int) -> float:
    """MiB a second."""
    assert callable(work)
    begun = time.perf_counter()
    work(mib * MIB // len(PIECE))
    return mib / (time.perf_counter() - begun)


def measure(quick: bool) -> Iterator[Figure]:
    """Speed, and what a long file adds to the memory in use."""
    bare(100)
    seal(100)
    mib = 64
    pairs = interleaved(lambda: rate(seal, mib), lambda: rate(bare, mib), 9 if quick else 21)
    yield beside("seal a file", "MiB/s", ">= 0.7", pairs)
    size = 256 if quick else 1024
    said = subprocess.run([sys.executable, "-c", PEAK.format(size=size)], capture_output=True, text=True, check=True)
    short, long = map(float, said.stdout.split())
    yield Figure("memory added by sealing more", "MiB", long - short, need="<= 4", note=f"{size} MiB after 16 MiB")

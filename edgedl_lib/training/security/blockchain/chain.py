"""Blocks that name their predecessor by its hash, and carry a proof that somebody worked for them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

DIFFICULTY = 2  # leading hexadecimal zeros: 256 trials on average, for show; the latency study uses virtual time
GENESIS = "0" * 64


class TamperedBlock(Exception):
    """A block that does not fit its own hash, its proof of work, or its predecessor."""


@dataclass(frozen=True)
class Update:
    """A device's local update as it stands in a block.

    Attributes
    ----------
    device, samples : int
    seconds : float
        Computation time, from which miners judge whether the samples are plausible.
    weights, gradient : bytes
        float64; the gradient is the sum over the device's samples, for SVRG.
    """

    device: int
    samples: int
    seconds: float
    weights: bytes
    gradient: bytes

    @property
    def payload(self) -> bytes:
        """All fields as bytes; the separators keep two different updates from having the same bytes."""
        head = f"{self.device}|{self.samples}|{self.seconds!r}|{len(self.weights)}|"
        return head.encode() + self.weights + self.gradient


@dataclass(frozen=True)
class Block:
    """Updates of one epoch, sealed."""

    previous: str
    miner: int
    updates: tuple[Update, ...]
    nonce: int
    digest: str

    @property
    def sealed(self) -> str:
        """The digest that the content has."""
        return _digest(self.previous, self.miner, self.updates, self.nonce)


def _digest(previous: str, miner: int, updates: Sequence[Update], nonce: int) -> str:
    body = hashlib.sha256(b"".join(hashlib.sha256(update.payload).digest() for update in updates)).hexdigest()
    return hashlib.sha256(f"{previous}|{miner}|{body}|{nonce}".encode()).hexdigest()


def mine(previous: str, miner: int, updates: Sequence[Update], difficulty: int = DIFFICULTY) -> Block:
    """Try nonces until the digest begins with enough zeros.

    >>> mine(GENESIS, 0, ()).digest[:2]
    '00'
    """
    nonce = 0
    while not (digest := _digest(previous, miner, updates, nonce)).startswith("0" * difficulty):
        nonce += 1
    return Block(previous, miner, tuple(updates), nonce, digest)


def verify(block: Block, previous: str, difficulty: int = DIFFICULTY) -> None:
    """Check a block that claims to follow `previous`.

    Raises
    ------
    TamperedBlock
        With what does not fit.
    """
    if block.previous != previous:
        raise TamperedBlock(f"the block follows {block.previous[:8]}, not {previous[:8]}")
    if block.sealed != block.digest:
        raise TamperedBlock(f"the content has digest {block.sealed[:8]}, not {block.digest[:8]}")
    if not block.digest.startswith("0" * difficulty):
        raise TamperedBlock(f"digest {block.digest[:8]} proves no work; {difficulty} zeros are needed")


def verify_chain(blocks: Sequence[Block], difficulty: int = DIFFICULTY) -> None:
    """Check every block and every link; raises :class:`TamperedBlock`."""
    previous = GENESIS
    for block in blocks:
        verify(block, previous, difficulty)
        previous = block.digest


def accepted(blocks: Sequence[Block], check=verify_chain) -> bool:
    """Whether a chain passes the check."""
    try:
        check(blocks)
    except TamperedBlock:
        return False
    return True


def alterations(blocks: Sequence[Block]) -> list[list[Block]]:
    """Chains that a forger might pass on: every field of every block changed, blocks dropped or exchanged."""
    forged = []
    for index, block in enumerate(blocks):
        forged += [[*blocks[:index], changed, *blocks[index + 1 :]] for changed in _changes(block)]
        if index + 1 < len(blocks):
            forged.append([*blocks[:index], *blocks[index + 1 :]])
            forged.append([*blocks[:index], blocks[index + 1], block, *blocks[index + 2 :]])
    return forged


def _changes(block: Block) -> list[Block]:
    first, *rest = block.updates
    flipped = bytes([first.weights[0] ^ 1]) + first.weights[1:]
    updates = (
        replace(first, weights=flipped),
        replace(first, samples=first.samples + 1),
        replace(first, seconds=first.seconds + 1),
        replace(first, device=first.device + 1),
    )
    changed = [replace(block, updates=(update, *rest)) for update in updates]
    changed.append(replace(block, updates=tuple(rest)))
    changed += [replace(block, miner=block.miner + 1), replace(block, nonce=block.nonce + 1)]
    return changed + [replace(block, previous="f" * 64), replace(block, digest="0" * 64)]


def add_noise(block: Block, noise: np.ndarray) -> Block:
    """What a faulty miner hands out: the same noise on the weights of every update, and the old digest."""
    noisy = (replace(update, weights=(np.frombuffer(update.weights) + noise).tobytes()) for update in block.updates)
    return replace(block, updates=tuple(noisy))

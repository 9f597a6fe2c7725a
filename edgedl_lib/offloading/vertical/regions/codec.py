"""A small image codec: 8x8 blocks, cosine transform, one quantiser step per block, zlib.  All bytes are real.

A stream is: mode (1 byte), one or two step numbers (1 byte each), in mode REGIONS one bit for each block (144 bits for
a frame of 96x96), then the compressed coefficients.  Step number k means a step of 2 ** (k / 32) grey levels.
"""

import zlib
from dataclasses import dataclass

import numpy as np

BLOCK = 8
STEPS = 256
UNIFORM, REGIONS = 0, 1  # modes
WIDE = 2  # flag of the mode byte: some coefficient needs a second byte
MIDDLE_GREY = 128.0


def cosine_basis(size: int = BLOCK) -> np.ndarray:
    """Orthonormal DCT-II matrix (size, size); rows are frequencies."""
    frequency, sample = np.arange(size)[:, None], np.arange(size)[None]
    basis = np.cos(np.pi * (2 * sample + 1) * frequency / (2 * size)) * np.sqrt(2 / size)
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


BASIS = cosine_basis()
ZIGZAG = np.argsort([row + column + 1e-3 * row for row in range(BLOCK) for column in range(BLOCK)], kind="stable")


def step_size(number: np.ndarray | int) -> np.ndarray | float:
    """Quantiser step (grey levels) of a step number.

    >>> float(step_size(0)), float(step_size(128))
    (1.0, 16.0)
    """
    return np.exp2(np.asarray(number) / 32)


STEP_INVERSES = (1 / step_size(np.arange(STEPS))).astype(np.float32)


def transform(frames: np.ndarray) -> np.ndarray:
    """Coefficients of every block, (n, blocks, 64) in zigzag order, of grey frames (n, height, width)."""
    n, height, width = frames.shape
    if height % BLOCK or width % BLOCK:
        raise ValueError(f"frames of {height}x{width} pixels do not divide into {BLOCK}x{BLOCK} blocks; pad them")
    rows, columns = height // BLOCK, width // BLOCK
    blocks = (frames.astype(np.float32) - MIDDLE_GREY).reshape(n, rows, BLOCK, columns, BLOCK).swapaxes(2, 3)
    coefficients = BASIS @ blocks @ BASIS.T  # (n, rows, columns, 8, 8)
    return coefficients.reshape(n, rows * columns, BLOCK * BLOCK)[:, :, ZIGZAG]


def restore(coefficients: np.ndarray, height: int, width: int) -> np.ndarray:
    """Frames (n, height, width), uint8: the inverse of `transform`, rounded."""
    n = len(coefficients)
    rows, columns = height // BLOCK, width // BLOCK
    ordered = np.empty_like(coefficients)
    ordered[:, :, ZIGZAG] = coefficients
    blocks = BASIS.T @ ordered.reshape(n, rows, columns, BLOCK, BLOCK) @ BASIS
    pixels = blocks.swapaxes(2, 3).reshape(n, height, width) + MIDDLE_GREY
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Plan:
    """How one frame is quantised.

    Attributes
    ----------
    regions : ndarray of bool, shape (blocks,)
    fine, coarse : int
        Step numbers inside and outside of the regions.
    """

    regions: np.ndarray
    fine: int
    coarse: int

    @property
    def uniform(self) -> bool:
        """Whether one step serves all: no region, nothing but regions, or equal steps."""
        return self.fine == self.coarse or not self.regions.any() or bool(self.regions.all())

    @property
    def only_step(self) -> int:
        """The step number of a uniform plan."""
        return self.fine if self.regions.all() else self.coarse

    def step_numbers(self) -> np.ndarray:
        """Step number of every block."""
        return np.where(self.regions, self.fine, self.coarse)


def encode(coefficients: np.ndarray, plan: Plan) -> bytes:
    """The stream of one frame's coefficients, (blocks, 64)."""
    shrink = STEP_INVERSES[plan.step_numbers()]
    levels = np.rint(coefficients.T * shrink).astype(np.int16)  # by frequency: runs of zeros get long
    folded = ((levels << 1) ^ (levels >> 15)).view(np.uint16)  # 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
    wide = int(folded.max()) > 255
    planes = folded.astype(np.uint8).tobytes() + ((folded >> 8).astype(np.uint8).tobytes() if wide else b"")
    mode = UNIFORM if plan.uniform else REGIONS
    steps_used = [plan.only_step] if plan.uniform else [plan.fine, plan.coarse]
    map_of_regions = b"" if plan.uniform else np.packbits(plan.regions).tobytes()
    return bytes([mode | WIDE * wide, *steps_used]) + map_of_regions + _deflated(planes)


def _deflated(planes: bytes) -> bytes:
    """Run lengths and Huffman codes: smaller than zlib's default on such planes, and four times as fast."""
    packer = zlib.compressobj(strategy=zlib.Z_RLE)
    return packer.compress(planes) + packer.flush()


def decode(stream: bytes, blocks: int) -> np.ndarray:
    """Coefficients (blocks, 64) of a stream.

    Raises
    ------
    ValueError
        A stream that is cut short or no stream of so many blocks.
    """
    if len(stream) < 2 or stream[0] > (REGIONS | WIDE):
        raise ValueError(f"{len(stream)} bytes that start with {stream[:1]!r} are no encoded frame; send it again")
    wide, position = bool(stream[0] & WIDE), 2
    numbers = np.full(blocks, stream[1])
    if stream[0] & REGIONS:
        size = -(-blocks // 8)
        regions = np.unpackbits(np.frombuffer(stream, np.uint8, size, 3), count=blocks).astype(bool)
        numbers, position = np.where(regions, stream[1], stream[2]), 3 + size
    try:
        planes = np.frombuffer(zlib.decompress(stream[position:]), np.uint8)
    except zlib.error as fault:
        raise ValueError(f"the frame's coefficients cannot be decompressed ({fault}); send it again") from fault
    count = blocks * BLOCK * BLOCK
    if len(planes) != count * (1 + wide):
        raise ValueError(f"the stream holds {len(planes)} coefficient bytes, {count * (1 + wide)} fit {blocks} blocks")
    folded = planes[:count].astype(np.int32) + (planes[count:].astype(np.int32) << 8 if wide else 0)
    levels = ((folded >> 1) ^ -(folded & 1)).reshape(BLOCK * BLOCK, blocks).T
    return (levels * step_size(numbers)[:, None]).astype(np.float32)

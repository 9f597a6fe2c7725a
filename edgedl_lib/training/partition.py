"""Who holds what: how the samples of one data set are spread over the clients.

Every function returns one array of sample numbers per client; no sample is held twice.
"""

from collections.abc import Sequence

import numpy as np

Partition = tuple[np.ndarray, ...]


def iid(count: int, clients: int, seed: int, sizes: Sequence[int] | None = None) -> Partition:
    """Shuffled samples in equal parts (within one sample), or in parts of the given sizes.

    Examples
    --------
    >>> [len(part) for part in iid(10, 3, seed=0)]
    [4, 3, 3]
    >>> [len(part) for part in iid(10, 2, seed=0, sizes=(7, 2))]
    [7, 2]
    """
    _check_clients(clients, count)
    order = np.random.default_rng(seed).permutation(count)
    if sizes is None:
        return tuple(np.array_split(order, clients))
    if len(sizes) != clients or min(sizes) < 1 or sum(sizes) > count:
        raise ValueError(f"sizes {list(sizes)} must be {clients} positive numbers whose sum is at most {count}")
    return tuple(np.split(order[: sum(sizes)], np.cumsum(sizes)[:-1]))


def shards(labels, clients: int, seed: int, shards_per_client: int = 2) -> Partition:
    """Samples sorted by label, cut into equal shards, ``shards_per_client`` of them dealt to each client.

    McMahan et al. 2017 [198]: 60,000 digits, 200 shards of 300, two for each of 100 clients, so that most clients
    hold two digits.  The sort is stable: samples of one label keep their order.
    """
    labels = np.asarray(labels)
    total = clients * shards_per_client
    if shards_per_client < 1:
        raise ValueError(f"shards_per_client {shards_per_client} must be at least 1")
    _check_clients(clients, len(labels), needed=total)
    pieces = np.array_split(np.argsort(labels, kind="stable"), total)
    dealt = np.random.default_rng(seed).permutation(total).reshape(clients, shards_per_client)
    return tuple(np.concatenate([pieces[shard] for shard in row]) for row in dealt)


def dirichlet(labels, clients: int, concentration: float, seed: int) -> Partition:
    """Each class is spread over the clients in shares drawn from a symmetric Dirichlet distribution.

    A concentration of 0.1 leaves most clients with one or two classes, 100 is close to equal shares.  Every client
    gets at least one sample: an empty one takes it from the largest.
    """
    labels = np.asarray(labels)
    if not concentration > 0:
        raise ValueError(f"concentration {concentration} must be positive; 0.1 is skewed, 100 is close to even")
    _check_clients(clients, len(labels))
    rng = np.random.default_rng(seed)
    held = [[] for _ in range(clients)]
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        cuts = np.rint(np.cumsum(rng.dirichlet(np.full(clients, concentration)))[:-1] * len(rows)).astype(int)
        for part, piece in zip(held, np.split(rows, cuts), strict=True):
            part.extend(piece.tolist())
    for part in held:
        if not part:
            part.append(max(held, key=len).pop())
    return tuple(np.array(part, dtype=np.int64) for part in held)


def by_group(groups) -> Partition:
    """One client per writer, speaker or generator: the samples of each distinct group, in sorted order of groups."""
    groups = np.asarray(groups)
    if groups.size == 0:
        raise ValueError("there are no groups; give the group of each sample")
    return tuple(np.flatnonzero(groups == group) for group in np.unique(groups))


def _check_clients(clients: int, count: int, needed: int | None = None) -> None:
    if clients < 1:
        raise ValueError(f"clients {clients} must be at least 1")
    if count < (needed or clients):
        raise ValueError(f"{count} samples are too few for {clients} clients; take fewer clients or smaller shards")

"""Where edge servers and their users stand: recorded sites, distances, who serves whom.

Melbourne's centre is recorded (Lai et al. 2018, the EUA data set: 125 sites of radio licences and 816 users);
`generated_city` draws a city like it for those who have no copy.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

EARTH_RADIUS = 6_371_000.0
#: Melbourne's centre, measured in the recorded file: a rectangle turned by 20 degrees, sites that keep apart, and about
#: a third of them beside another one.
BLOCK = (930.0, 1850.0)
TURN = np.radians(-20.0)
SHARED_SITES = 0.35
SITE_SPREAD = 15.0
CANDIDATES = 5  # a site stands where, of so many spots, the other sites are farthest
CENTRE = (-37.8136, 144.9631)


class PlacesError(ValueError):
    """A file of places that cannot be read as such."""


@dataclass(frozen=True)
class Places:
    """S edge servers and U users.

    Attributes
    ----------
    servers, users : numpy.ndarray, shape (S, 2) and (U, 2)
        Latitude and longitude in degrees.
    """

    servers: np.ndarray
    users: np.ndarray

    def __post_init__(self) -> None:
        for name in ("servers", "users"):
            points = np.asarray(getattr(self, name), dtype=float)
            if points.ndim != 2 or points.shape[1] != 2 or not len(points):
                raise PlacesError(f"{name} must be one latitude and longitude per row, not of shape {points.shape}")
            if not np.all(np.isfinite(points)) or np.any(np.abs(points) > (90, 180)):
                raise PlacesError(
                    f"{name} hold a place that is not on the globe: latitude +-90, longitude +-180 degrees"
                )
            points.flags.writeable = False
            object.__setattr__(self, name, points)

    @cached_property
    def server_of_user(self) -> np.ndarray:
        """Index of the nearest server, shape (U,)."""
        return np.argmin(distances(self.users, self.servers), axis=1)

    @cached_property
    def metres_to_server(self) -> np.ndarray:
        """Distance of each user to the nearest server, shape (U,)."""
        return np.min(distances(self.users, self.servers), axis=1)

    @property
    def users_per_server(self) -> np.ndarray:
        """Users whose nearest server it is, shape (S,)."""
        return np.bincount(self.server_of_user, minlength=len(self.servers))

    def neighbours(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The `count` nearest other servers of each, nearest first, and the metres to them, both of shape (S, count).

        Raises
        ------
        ValueError
            If there are not as many others.
        """
        if not 1 <= count < len(self.servers):
            raise ValueError(f"each of {len(self.servers)} servers has {len(self.servers) - 1} others, not {count}")
        apart = distances(self.servers, self.servers)
        np.fill_diagonal(apart, np.inf)
        nearest = np.argsort(apart, axis=1, kind="stable")[:, :count]
        return nearest, np.take_along_axis(apart, nearest, axis=1)

    def metres(self, points: np.ndarray) -> np.ndarray:
        """Points as metres east and north of the users' mean, for a map, shape (..., 2)."""
        origin = self.users.mean(axis=0)
        east = np.radians(points[..., 1] - origin[1]) * np.cos(np.radians(origin[0]))
        return EARTH_RADIUS * np.stack([east, np.radians(points[..., 0] - origin[0])], axis=-1)


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Great-circle distances in metres, shape (A, B), of points given as latitude and longitude in degrees.

    Examples
    --------
    >>> distances(np.array([[0.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])).round().tolist()
    [[111195.0, 0.0]]
    """
    a, b = np.radians(first)[:, None, :], np.radians(second)[None, :, :]
    north, east = (b - a)[..., 0] / 2, (b - a)[..., 1] / 2
    haversine = np.sin(north) ** 2 + np.cos(a[..., 0]) * np.cos(b[..., 0]) * np.sin(east) ** 2
    return 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.clip(haversine, 0.0, 1.0)))


def read_places(servers: str | os.PathLike, users: str | os.PathLike) -> Places:
    """Read two CSV files with a column of latitudes and one of longitudes, in any case.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    PlacesError
        If a column is missing or holds something that is no place; the message names file and line.
    """
    return Places(_points(servers), _points(users))


def _points(path: str | os.PathLike) -> np.ndarray:
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file of places {os.fspath(path)}: give the path of a CSV file")
    with open(path, newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns = {name.strip().lower(): name for name in reader.fieldnames or () if name}
        if not {"latitude", "longitude"} <= columns.keys():
            raise PlacesError(f"{os.fspath(path)} needs the columns latitude and longitude; it has {sorted(columns)}")
        rows = [[row[columns["latitude"]], row[columns["longitude"]]] for row in reader]
    points = [_point(row, path, line) for line, row in enumerate(rows, start=2)]
    if not points:
        raise PlacesError(f"{os.fspath(path)} holds no place")
    return np.array(points)


def _point(row: list[str | None], path: str | os.PathLike, line: int) -> list[float]:
    try:
        return [float(value) for value in row]
    except (TypeError, ValueError) as error:
        raise PlacesError(f"{os.fspath(path)}, line {line}: {row} is no latitude and longitude in degrees") from error


def generated_city(seed: int | np.random.Generator, servers: int = 125, users: int = 816) -> Places:
    """Draw a city with the extent, the turn and the shared sites of Melbourne's centre.

    Examples
    --------
    >>> city = generated_city(seed=0)
    >>> city.servers.shape, city.users.shape
    ((125, 2), (816, 2))
    """
    if servers < 2 or users < 1:
        raise ValueError(f"a city needs at least two servers and one user, not {servers} and {users}")
    generator = np.random.default_rng(seed)
    sites = _apart(generator, max(int(round(servers * (1 - SHARED_SITES))), 1))
    beside = sites[generator.integers(len(sites), size=servers - len(sites))]
    beside = beside + generator.normal(0, SITE_SPREAD, beside.shape)
    scale = min(1.0, np.sqrt(servers / 125))  # fewer servers: a smaller part of the city, as dense as the whole
    return Places(_degrees(scale * np.concatenate([sites, beside])), _degrees(scale * _inside(generator, users)))


def _apart(generator: np.random.Generator, count: int) -> np.ndarray:
    """Sites that keep their distance, metres, shape (count, 2)."""
    sites = _inside(generator, 1)
    for _ in range(count - 1):
        spots = _inside(generator, CANDIDATES)
        gaps = np.linalg.norm(spots[:, None] - sites[None], axis=-1).min(axis=1)
        sites = np.concatenate([sites, spots[[np.argmax(gaps)]]])
    return sites


def _inside(generator: np.random.Generator, count: int) -> np.ndarray:
    block = generator.uniform(-0.5, 0.5, (count, 2)) * BLOCK
    turn = np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    return block @ turn.T


def _degrees(metres: np.ndarray) -> np.ndarray:
    """East and north in metres as latitude and longitude around Melbourne."""
    north = np.degrees(metres[:, 1] / EARTH_RADIUS)
    east = np.degrees(metres[:, 0] / EARTH_RADIUS) / np.cos(np.radians(CENTRE[0]))
    return np.array(CENTRE) + np.stack([north, east], axis=1)

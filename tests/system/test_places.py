"""Places: distances that are known, nearest servers against plain loops, bad files, and the generated city."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from edgedl_lib.system.places import CENTRE, Places, PlacesError, distances, generated_city, read_places

SERVERS = "SITE_ID,LATITUDE,LONGITUDE,NAME\n1,-37.81,144.96,a\n2,-37.82,144.97,b\n"
USERS = "Latitude,Longitude\n-37.811,144.961\n-37.8195,144.9699\n-37.8101,144.9601\n"


@pytest.fixture
def files(tmp_path):
    servers, users = tmp_path / "servers.csv", tmp_path / "users.csv"
    servers.write_text(SERVERS, encoding="utf-8-sig")
    users.write_text(USERS)
    return servers, users


def test_known_distances():
    degree = math.pi / 180 * 6_371_000
    assert distances(np.array([[10.0, 20.0]]), np.array([[11.0, 20.0]]))[0, 0] == pytest.approx(degree)
    assert distances(np.array([[60.0, 0.0]]), np.array([[60.0, 1e-3]]))[0, 0] == pytest.approx(degree * 5e-4, rel=1e-6)
    assert distances(np.array([[0.0, 0.0]]), np.array([[0.0, 180.0]]))[0, 0] == pytest.approx(math.pi * 6_371_000)


def test_reads_either_spelling_and_assigns_users(files):
    places = read_places(*files)
    assert places.server_of_user.tolist() == [0, 1, 0]
    assert places.users_per_server.tolist() == [2, 1]
    assert np.all(places.metres_to_server < 200)


def test_nearest_and_neighbours_against_plain_loops():
    places = generated_city(3, servers=12, users=40)
    for user, site in zip(places.users, places.server_of_user, strict=True):
        apart = [distances(user[None], server[None])[0, 0] for server in places.servers]
        assert site == int(np.argmin(apart))
    nearest, metres = places.neighbours(4)
    for site, row in enumerate(nearest):
        apart = distances(places.servers[[site]], places.servers)[0]
        others = sorted((distance, other) for other, distance in enumerate(apart) if other != site)
        assert row.tolist() == [other for _, other in others[:4]]
    assert np.all(np.diff(metres, axis=1) >= 0)


def test_the_map_keeps_distances():
    places = generated_city(0, servers=20, users=50)
    flat = places.metres(places.servers)
    on_map = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    assert on_map == pytest.approx(distances(places.servers, places.servers), abs=0.5)


def test_the_generated_city_is_like_melbourne():
    """Medians of the recorded file: 62 m from a user to a server, 5 users a server, 122 m to the third neighbour."""
    for seed in range(4):
        city = generated_city(seed)
        assert 50 < np.median(city.metres_to_server) < 75
        assert 4 <= np.median(city.users_per_server) <= 7
        assert 100 < np.median(city.neighbours(3)[1][:, 2]) < 145
        assert np.abs(city.users.mean(axis=0) - CENTRE).max() < 0.002


def test_same_seed_same_city():
    assert np.array_equal(generated_city(5).servers, generated_city(5).servers)
    assert not np.array_equal(generated_city(5).users, generated_city(6).users)


def test_bad_files_are_named(files, tmp_path):
    servers, users = files
    with pytest.raises(FileNotFoundError, match="no file of places"):
        read_places(tmp_path / "none.csv", users)
    users.write_text("Latitude,Longitude\n-37.8,144.9\nhere,there\n")
    with pytest.raises(PlacesError, match=r"users.csv, line 3"):
        read_places(servers, users)
    users.write_text("x,y\n1,2\n")
    with pytest.raises(PlacesError, match="columns latitude and longitude"):
        read_places(servers, users)
    users.write_text("Latitude,Longitude\n")
    with pytest.raises(PlacesError, match="holds no place"):
        read_places(servers, users)
    users.write_text("Latitude,Longitude\n-97.8,144.9\n")
    with pytest.raises(PlacesError, match="not on the globe"):
        read_places(servers, users)


def test_impossible_numbers():
    with pytest.raises(ValueError, match="at least two servers"):
        generated_city(0, servers=1)
    with pytest.raises(ValueError, match="has 2 others, not 3"):
        generated_city(0, servers=3, users=2).neighbours(3)
    with pytest.raises(PlacesError, match="one latitude and longitude per row"):
        Places(np.zeros((2, 3)), np.zeros((1, 2)))


@pytest.mark.skipif("EDGEDL_DATA" not in os.environ, reason="needs the recorded places in a data folder")
def test_melbourne_as_registered():
    from edgedl_lib.reproduce.data_cache import fetch

    places = read_places(*(fetch(f"eua/{name}_melbourne_cbd.csv") for name in ("edge_servers", "users")))
    assert (len(places.servers), len(places.users)) == (125, 816)
    assert Path(fetch("eua/users_melbourne_cbd.csv")).is_file()
    assert np.median(places.metres_to_server) == pytest.approx(62, abs=1)

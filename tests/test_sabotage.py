"""Every claim is attacked by a wrong method, and every attack must fall outside the claim's band."""

from pathlib import Path

import pytest

from edgedl_lib.reproduce.ledger import load_claims
from edgedl_lib.reproduce.sabotage import load_sabotage, sabotage

FOLDER = Path(__file__).parent / "sabotage"
CLAIMS = load_claims()
ATTACKS = load_sabotage(FOLDER)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.method.__name__}")
def test_wrong_method_is_caught(attack):
    for identifier, value in attack.values().items():
        claim = CLAIMS[identifier]
        assert not claim.holds(value), f"{attack.method.__name__} gives {value}, inside the band of {identifier}"


def test_every_banded_claim_is_attacked():
    attacked = {identifier for attack in ATTACKS for identifier in attack.claims}
    banded = {claim.id for claim in CLAIMS.values() if claim.banded}
    assert sorted(banded - attacked) == []


def test_every_attack_names_a_claim_with_a_band():
    attacked = {identifier for attack in ATTACKS for identifier in attack.claims}
    assert sorted(attacked - {claim.id for claim in CLAIMS.values() if claim.banded}) == []


def test_every_wrong_method_says_why_it_is_tempting():
    assert [attack.method.__name__ for attack in ATTACKS if not attack.method.__doc__] == []


def test_registering_needs_ids():
    with pytest.raises(ValueError, match="needs the ids"):
        sabotage()

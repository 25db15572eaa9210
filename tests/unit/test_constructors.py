"""Constructors refuse values in the words in which a study file is refused."""

import numpy as np
import pytest

from nessflow.studies.systems import System
from nessflow.systems.lattices.chain import Chain
from nessflow.validation import InvalidValues

LEAD = {"kind": "wide-band", "broadening": 1.0, "chemical_potential": 0.0, "temperature": 0.1}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"sitse": 3}, "Chain: sitse: expected one of the keys"),
        ({"sitse": 3}, "did you mean 'sites'?"),
        ({"sites": 0}, "Chain: sites = 0: expected a number >= 1 (number of sites"),
        ({"sites": 3, "hopping": "a"}, "Chain: hopping = a: expected a number"),
        ({"sites": 3, "onsite": np.ones(2)}, "onsite has 2 energies for 3 sites"),
        ({"sites": 3, "onsite": 1j}, "real"),
    ],
)
def test_what_is_wrong_with_a_lattice(values, expected):
    with pytest.raises(InvalidValues) as caught:
        Chain(kind="chain", **values)
    assert expected in str(caught.value)


def test_the_key_of_a_value_inside():
    lattice = Chain(kind="chain", sites=4)
    with pytest.raises(InvalidValues) as caught:
        System(lattice=lattice, leads={"left": LEAD, "right": LEAD | {"temperature": -1}})
    assert "System: leads.right.temperature = -1: expected a number >=" in str(caught.value)
    with pytest.raises(InvalidValues) as caught:
        System(lattice=lattice, leads={"a": LEAD | {"site": 7}})
    assert "leads.a.site = 7: there is no site 7: the chain has 4 sites" in str(caught.value)


def test_numbers_of_numpy_are_numbers():
    chain = Chain(kind="chain", sites=np.int64(3), onsite=np.array([0.1, 0.2, 0.3]))
    assert chain == Chain(kind="chain", sites=3, onsite=(0.1, 0.2, 0.3))

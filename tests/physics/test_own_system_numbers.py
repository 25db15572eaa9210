"""Numbers of systems that a user brings, as a user gets them: by the library alone.

``own_system_numbers.json`` names for each number a system and a quantity of those below, with their
parameters.  Its values are those of independent code, dense Green's functions with leads from
ordered Schur forms of their transfer matrices and adaptive quadrature, in part confirmed by another
package; the error of each is what that code can vouch for.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from ruamel.yaml import YAML

import nessflow as nf
import own_files
from nessflow.registry import use_project

NUMBERS = json.loads(
    Path(__file__).with_suffix("").with_name("own_system_numbers.json").read_text()
)
PROJECT = own_files.temporary()
TIP = 1e-20
"""Broadening of a tip that measures where a wave from a lead gets to."""


# --- systems: mappings as in a study file ---------------------------------------------------------


def waves(count, strength):
    """Energies ``strength sin(1.3 j^2)`` of sites or rows."""
    return (strength * np.sin(1.3 * np.arange(1.0, count + 1) ** 2)).tolist()


def filled(leads, chemical_potentials=(0.0, 0.0), temperatures=(0.1, 0.1)):
    """Leads, those of a name as one, with chemical potentials and temperatures in their order."""
    sides = list(dict.fromkeys(name.partition("_")[0] for name in leads))
    mu = dict(zip(sides, chemical_potentials, strict=True))
    t = dict(zip(sides, temperatures, strict=True))
    return {
        name: lead
        | {"chemical_potential": mu[name.partition("_")[0]]}
        | {"temperature": t[name.partition("_")[0]]}
        for name, lead in leads.items()
    }


def both(lead):
    return {"left": lead, "right": lead}


def columns(length, width):
    """Sites of the first and of the last column."""
    return list(range(1, width + 1)), list(range((length - 1) * width + 1, length * width + 1))


def strip(length, width, strength=0.0, barrier=0.0, flux=None, **filling):
    energies = np.array(waves(length * width, strength)).reshape(length, width)
    energies[length // 2] += barrier
    lattice = {"length": length, "width": width, "onsite": energies.ravel().tolist()}
    if flux is not None:
        lattice |= {"kind": "square", "flux": flux}
        return {"lattice": lattice, "leads": filled(both({"kind": "continued"}), **filling)}
    ends = zip(("left", "right"), columns(length, width), strict=True)
    leads = {name: {"kind": "semi-infinite-strip", "site": sites} for name, sites in ends}
    return {"lattice": lattice | {"kind": "strip"}, "leads": filled(leads, **filling)}


def strip_of_points(length, width, broadening, **filling):
    point = {"kind": "wide-band", "broadening": broadening}
    middle = (width + 1) // 2
    leads = {"left": point | {"site": middle}}
    leads["right"] = point | {"site": (length - 1) * width + middle}
    lattice = {"kind": "strip", "length": length, "width": width}
    return {"lattice": lattice, "leads": filled(leads, **filling)}


def row(size, hopping=-1.0):
    """Matrix of a row of sites, as a list."""
    bonds = np.full(size - 1, complex(hopping))
    return (np.diag(bonds, 1) + np.diag(bonds.conj(), -1)).tolist()


def strip_between_wide_strips(length, width, flux, strength, **filling):
    """Leads without flux, of twice the hopping along them."""
    cell = {"kind": "unit-cell", "cell": row(width), "hopping": (-2 * np.eye(width)).tolist()}
    cell |= {"coupling": (-np.eye(width)).tolist()}
    ends = zip(("left", "right"), columns(length, width), strict=True)
    leads = {name: cell | {"site": sites} for name, sites in ends}
    lattice = {"kind": "square", "length": length, "width": width, "flux": flux}
    lattice |= {"onsite": waves(length * width, strength)}
    return {"lattice": lattice, "leads": filled(leads, **filling)}


def hall_cross(size, flux, chemical_potential=0.0, temperature=0.1):
    """Upper and lower leads have a vector potential across and no flux."""
    leads = both({"kind": "continued"})
    for name, y in (("top", size), ("bottom", 1)):
        leads[name] = {
            "kind": "unit-cell",
            "cell": row(size, -np.exp(1j * flux * y)),
            "hopping": (-np.eye(size)).tolist(),
            "site": [(x - 1) * size + y for x in range(1, size + 1)],
        }
    lattice = {"kind": "square", "length": size, "width": size, "flux": flux}
    return {"lattice": lattice, "leads": filled(leads, [chemical_potential] * 4, [temperature] * 4)}


def ribbon(edge, length, width, strength=0.0, **filling):
    lattice = {"kind": "honeycomb", "edge": edge, "length": length, "width": width}
    lattice |= {"onsite": waves(2 * length * width, strength)}
    return {"lattice": lattice, "leads": filled(both({"kind": "continued"}), **filling)}


def between_ssh_chains(intracell, intercell, hopping, coupling, sites, **filling):
    lead = {"kind": "semi-infinite-ssh", "intracell": intracell, "intercell": intercell}
    lattice = {"kind": "chain", "sites": sites, "hopping": hopping}
    return {"lattice": lattice, "leads": filled(both(lead | {"coupling": coupling}), **filling)}


def between_cells_of_ssh(intracell, intercell, hopping, coupling, sites, **filling):
    cell = {"kind": "unit-cell", "cell": row(2, -intracell), "coupling": [[-coupling, 0]]}
    cell |= {"hopping": [[0, 0], [-intercell, 0]]}
    leads = {"left": cell | {"site": [1]}, "right": cell | {"site": [sites]}}
    lattice = {"kind": "chain", "sites": sites, "hopping": hopping}
    return {"lattice": lattice, "leads": filled(leads, **filling)}


def spinful_chain(sites, spin_orbit, zeeman, strength=0.0):
    """Block ``-1 + i spin_orbit sigma_y`` from a site to the next, a field along z."""
    blocks = [(e * np.eye(2) + zeeman * np.diag([1, -1])).tolist() for e in waves(sites, strength)]
    lattice = {"kind": "chain", "sites": sites, "orbitals": 2, "onsite": blocks}
    return lattice | {"hopping": [[1, -spin_orbit], [spin_orbit, 1]]}


def spin_resolved_wire(sites, spin_orbit, zeeman, strength=0.0, **filling):
    leads = {
        f"{side}_{spin}": {"kind": "semi-infinite-chain", "site": site, "orbital": orbital}
        for side, site in (("left", 1), ("right", sites))
        for orbital, spin in ((1, "up"), (2, "down"))
    }
    lattice = spinful_chain(sites, spin_orbit, zeeman, strength)
    return {"lattice": lattice, "leads": filled(leads, **filling)}


def wire_between_chains(sites, spin_orbit, zeeman, strength=0.0, **filling):
    leads = filled(both({"kind": "semi-infinite-chain"}), **filling)
    return {"lattice": spinful_chain(sites, spin_orbit, zeeman, strength), "leads": leads}


def spinful_leads(rows, spin_orbit, zeeman):
    """Leads that continue the wire without energies of single sites, on its first and last."""
    cell = {"kind": "unit-cell", "cell": [[zeeman, 0], [0, -zeeman]]}
    to_right = np.array([[-1, spin_orbit], [-spin_orbit, -1]])
    first, last = rows
    return {
        "left": cell | {"hopping": to_right.T.tolist(), "site": first},
        "right": cell | {"hopping": to_right.tolist(), "site": last},
    }


def spinful_wire(sites, spin_orbit, zeeman, strength=0.0, **filling):
    leads = spinful_leads([[1], [sites]], spin_orbit, zeeman)
    lattice = spinful_chain(sites, spin_orbit, zeeman, strength)
    return {"lattice": lattice, "leads": filled(leads, **filling)}


def lossy_spinful_wire(sites, spin_orbit, zeeman, strength, **filling):
    """Loss of both spins on all sites and of up on bonds, gain of down on a site and on bonds."""
    up, down = np.arange(1, 2 * sites, 2), np.arange(2, 2 * sites + 1, 2)
    steps, (on_up, on_down, bond) = range(sites - 1), np.sqrt([0.06, 0.02, 0.03])
    loss = [{int(j): on_up} for j in up] + [{int(j): on_down} for j in down]
    loss += [{int(up[j]): bond, int(up[j + 1]): -1j * bond} for j in steps]
    gain = [{6: np.sqrt(0.08)}]
    gain += [{int(down[j]): on_down, int(down[j + 1]): -1j * on_down} for j in steps]
    hop = np.kron(np.eye(sites, k=1), [[-1, spin_orbit], [-spin_orbit, -1]])
    h = hop + hop.T + np.diag(np.repeat(waves(sites, strength), 2))
    h = h + np.kron(np.eye(sites), zeeman * np.diag([1, -1]))
    leads = spinful_leads([[1, 2], [2 * sites - 1, 2 * sites]], spin_orbit, zeeman)
    return {
        "lattice": {"kind": "matrix", "hamiltonian": h.tolist()},
        "loss": {"kind": "vectors", "vectors": loss},
        "gain": {"kind": "vectors", "vectors": gain},
        "leads": filled(leads, **filling),
    }


def spin_valve(broadening, left, right, angle, field, energy, **filling):
    """``Gamma = broadening (1 + polarisation n sigma)``: one channel along n and one against."""
    along, against = [np.cos(angle / 2), np.sin(angle / 2)], [-np.sin(angle / 2), np.cos(angle / 2)]
    directions = {
        "left_up": (left, [1, 0]),
        "left_down": (-left, [0, 1]),
        "right_up": (right, along),
        "right_down": (-right, against),
    }
    leads = {
        name: {
            "kind": "wide-band",
            "broadening": broadening * (1 + polarisation),
            "site": {site: x for site, x in enumerate(spinor, 1) if x},
        }
        for name, (polarisation, spinor) in directions.items()
    }
    h = [[energy, field], [field, energy]]
    return {"lattice": {"kind": "matrix", "hamiltonian": h}, "leads": filled(leads, **filling)}


def ring(sites, broadening, **filling):
    leads = filled(both({"kind": "wide-band", "broadening": broadening}), **filling)
    return {"lattice": {"kind": "ring", "sites": sites}, "leads": leads}


def ring_with_flux(sites, flux, strength, **filling):
    lead = {"kind": "semi-infinite-chain", "hopping": 2, "coupling": 0.8}
    leads = {"left": lead | {"site": 1}, "right": lead | {"site": 3}}
    lattice = {"kind": "ring", "sites": sites, "flux": flux, "onsite": waves(sites, strength)}
    return {"lattice": lattice, "leads": filled(leads, **filling)}


def star(arms, length, **filling):
    leads = filled(both({"kind": "semi-infinite-chain"}), **filling)
    return {"lattice": {"kind": "star", "arms": arms, "length": length}, "leads": leads}


def impurity(energy):
    leads = filled(both({"kind": "semi-infinite-chain"}))
    return {"lattice": {"kind": "chain", "sites": 1, "onsite": energy}, "leads": leads}


def chain_between_wide_chains(sites, strength, **filling):
    energies = (strength * np.sin(1.7 * np.arange(1.0, sites + 1) ** 2)).tolist()
    leads = filled(both({"kind": "semi-infinite-chain", "hopping": 2}), **filling)
    return {"lattice": {"kind": "chain", "sites": sites, "onsite": energies}, "leads": leads}


def chain_in_a_potential(potential, energies=(), **filling):
    j = np.arange(1.0, 31)
    leads = filled(both({"kind": "semi-infinite-chain"}), **filling)
    if potential == "bond":
        bonds = 1 + 0.3 * np.sin(2.1 * j[:-1] ** 2)
        h = -np.diag(bonds, 1) - np.diag(bonds, -1)
        return {"lattice": {"kind": "matrix", "hamiltonian": h.tolist()}, "leads": leads}
    golden = 0.5 * (np.sqrt(5) - 1)
    onsite = {
        "aubry_andre_metal": 1.4 * np.cos(2 * np.pi * golden * j + 0.4),
        "gaussian": np.array(energies),
        "tilted": 0.02 * j + 0.3 * (-1) ** j,
    }[potential]
    return {"lattice": {"kind": "chain", "sites": 30, "onsite": onsite.tolist()}, "leads": leads}


def of_file(path, cut, strength, size, **filling):
    """What is cut of a periodic file, with energies of its rows."""
    clean = nf.lattices.File(path=path, cut=cut)
    h = clean.described.hamiltonian.toarray() + np.diag(waves(size, strength))
    leads = {}
    for side in ("left", "right"):
        rows, *matrices = clean.continuation(side)
        names = ("cell", "hopping", "coupling")
        leads[side] = {name: x.tolist() for name, x in zip(names, matrices, strict=True)}
        leads[side] |= {"kind": "unit-cell", "site": (rows + 1).tolist()}
    lattice = {"kind": "matrix", "hamiltonian": h.tolist()}
    return {"lattice": lattice, "leads": filled(leads, **filling)}


def wire_of_a_file(strength=0.0, **filling):
    return of_file("data/wire_hr.dat", {"cells": 6}, strength, 12, **filling)


def ribbon_of_a_file(strength, **filling):
    cut = {"cells": 3, "width": {2: 4}}
    return of_file("data/graphene_hr.dat", cut, strength, 24, **filling)


def ribbon_of_sisl(strength, **filling):
    import sisl  # where it is installed

    places = np.outer(np.arange(8), [0, 1, 0])
    written = sisl.Geometry(places, sisl.Atom(1, R=1), lattice=[1.5, 20, 20])
    written.set_nsc([3, 1, 1])
    written = sisl.Hamiltonian(written, dtype=np.float64)
    for first in range(0, 8, 2):
        written[first, first + 1] = written[first + 1, first] = -1
        written[first + 1, first, (1, 0, 0)] = written[first, first + 1, (-1, 0, 0)] = -1
        if first:
            written[first, first - 1] = written[first - 1, first] = -1
    written.write(PROJECT / "data" / "ribbon.nc")
    return of_file("data/ribbon.nc", {"cells": 3}, strength, 24, **filling)


def matrix_of_a_file(**filling):
    leads = {
        "left": {"kind": "wide-band", "broadening": 0.8, "site": [1, 2, 3, 4]},
        "right": {"kind": "wide-band", "broadening": 0.5, "site": [21, 22, 23, 24]},
    }
    return {
        "lattice": {"kind": "file", "path": "data/strip.mtx"},
        "leads": filled(leads, **filling),
    }


# --- quantities: value and error ------------------------------------------------------------------


def solved(system, *observables):
    found = nf.solve(nf.System(**system), list(observables))
    assert found.attrs["status"] == "ok", found.attrs["message"]
    return found


def pair(data, name, *sel, **where):
    return tuple(data[x].sel(**where).values for x in (name, f"{name}_error"))


def joined(*pairs):
    """Values and errors of several as one array each."""
    return tuple(np.stack(np.broadcast_arrays(*x)) for x in zip(*pairs, strict=True))


def transmission(system, energies):
    ((value,), (error,)) = transmission_between(system, energies, [["left", "right"]], axis=0)
    ((back,), (other,)) = transmission_between(system, energies, [["right", "left"]], axis=0)
    assert (abs(value - back) <= error + other).all()
    return value, error


def transmission_between(system, energies, pairs, axis=1):
    found = nf.transmission(nf.System(**system), energies)
    at = [found.sel(terminal=a, terminal_2=b) for a, b in pairs]
    return tuple(np.stack(x, axis) for x in ([x.values for x in at], [x.error.values for x in at]))


def transmission_and_reflection(system, energies):
    found = nf.point("transmission", system=system, energies=energies)
    through = pair(found, "transmission", terminal="left", terminal_2="right")
    value, error = joined(through, pair(found, "reflection", terminal="left"))
    return value.T, error.T


def left_current(system):
    return pair(solved(system, "currents"), "particle_current", terminal="left")


def lead_currents(system):
    return pair(solved(system, "currents"), "particle_current", terminal=list(system["leads"]))


def terminal_currents(system):
    return pair(solved(system, "currents"), "particle_current")


def left_noise(system):
    return pair(solved(system, "noise"), "particle_noise", lead="left", lead_2="left")


def noise(system):
    return pair(solved(system, "noise"), "particle_noise")


def terminal_noise(system):
    return pair(solved(system, "terminal-noise"), "terminal_noise")


def left_current_and_noise(system):
    return joined(left_current(system), left_noise(system))


def left_current_and_noise_of_spins(system):
    found = solved(system, "currents", "noise")
    spins = ["left_up", "left_down"]
    current = pair(found, "particle_current", terminal=spins)
    covariance = pair(found, "particle_noise", lead=spins, lead_2=spins)
    return joined(*(tuple(x.sum() for x in each) for each in (current, covariance)))


def left_cumulants(system):
    found = solved(system, "cumulants")
    return joined(*(pair(found, f"{x}_cumulant", lead="left") for x in ("third", "fourth")))


def entropy_production(system):
    return pair(solved(system, "entropy-production"), "entropy_production")


def scattering_entropy(system):
    return pair(solved(system, "scattering-entropy"), "scattering_entropy_production")


def response(system):
    found = nf.point("linear-response", system=system)
    assert found.attrs["status"] == "ok", found.attrs["message"]
    return found


def seebeck(system):
    return pair(response(system), "seebeck_coefficient")


def conductance_and_seebeck(system):
    found = response(system)
    return joined(*(pair(found, x) for x in ("electrical_conductance", "seebeck_coefficient")))


def hall_resistance(system):
    """``(mu_top - mu_bottom)/I`` in h/e^2; errors of the conductances to first order."""
    matrix, error = pair(response(system), "conductance_matrix")
    order = list(system["leads"])
    assert order[:2] == ["left", "right"]

    def resistance(matrix):
        grounded = np.delete(np.delete(matrix, 1, 0), 1, 1)
        _, top, bottom = np.linalg.solve(grounded, [1.0, 0.0, 0.0])
        return (top - bottom) / (2 * np.pi)

    value, spread, step = resistance(matrix), 0.0, 1e-7
    for place in np.ndindex(matrix.shape):
        moved = matrix.copy()
        moved[place] += step
        spread += abs(resistance(moved) - value) / step * error[place]
    return value, spread


def subband_edges(system):
    whole = nf.System(**system)
    lead = whole.leads["right"]
    if not lead.is_placed:
        lead, _ = lead.beyond(whole.lattice, "right")
    return np.array(lead.edges), 0.0


def bands(system, waves):
    """Levels at a wave number k of single cells and at k + pi; a cell of a lead is two of them."""
    lead = system["leads"]["right"]
    cell, hopping = (np.array(lead[name]) for name in ("cell", "hopping"))
    phases = np.exp(2j * np.array(waves))[:, None, None]
    return np.linalg.eigvalsh(cell + phases * hopping + (phases * hopping).mT.conj()), 0.0


def bound_weight(system):
    return pair(solved(system, "density"), "bound_weight")


def bound_state(system, energy):
    """Level of the effective Hamiltonian at that energy, and the weight of the state."""
    found = solved(system, {"effective-spectrum": {"energy": energy}}, "density")
    assert abs(found["resonance_width"]).max() == 0
    level = pair(found, "resonance_energy", level=1)
    return joined(level, pair(found, "bound_weight", site=1))


def occupation(system, sites):
    return pair(solved(system, "density"), "occupation", site=sites)


def local_density_of_states(system, energies, sites):
    found = solved(system, {"local-density-of-states": {"energies": energies}})
    value, error = pair(found, "local_density_of_states", site=sites)
    return value.T, error.T


def injectivity_of_left(system, energies, sites):
    """What a tip takes from the left lead over its broadening, (G Gamma_left G^+)_jj / 2 pi."""
    found = []
    for site in sites:
        tip = {"kind": "wide-band", "broadening": TIP, "site": site}
        tip |= {"chemical_potential": 0.0, "temperature": 0.1}
        with_tip = system | {"leads": system["leads"] | {"tip": tip}}
        (value,), (error,) = transmission_between(with_tip, energies, [["tip", "left"]], axis=0)
        found.append((value / (2 * np.pi * TIP), error / (2 * np.pi * TIP)))
    value, error = joined(*found)
    return value.T, error.T


def bond_currents(system, bonds):
    """Bonds are numbered by their lower, then by their higher site."""
    h = nf.System(**system).lattice.hamiltonian()
    h = h.toarray() if hasattr(h, "toarray") else h.to_dense() if hasattr(h, "to_dense") else h
    order = [tuple(x) for x in np.argwhere(np.triu(h, 1)) + 1]
    value, error = pair(solved(system, "bond-currents"), "bond_current")
    at = [order.index(tuple(sorted(bond))) for bond in bonds]
    sign = [1 if first < second else -1 for first, second in bonds]
    return value[at] * sign, error[at]


@cache
def found(name):
    use_project(PROJECT)
    entry = NUMBERS[name]
    ((system, parameters),), ((quantity, arguments),) = (
        entry[key].items() for key in ("system", "quantity")
    )
    return globals()[quantity](globals()[system](**parameters), **arguments)


def marked(names):
    """Names, with a mark on those of systems that sisl writes."""
    return [pytest.param(x, marks=[pytest.mark.peer] if "sisl" in x else []) for x in names]


@pytest.mark.parametrize("name", marked(NUMBERS))
def test_number(name):
    expected, known = np.array(NUMBERS[name]["value"]), NUMBERS[name]["error"]
    value, error = found(name)
    difference = abs(value - expected)
    assert np.shape(difference) == np.shape(expected)
    assert (difference <= 1e-8).all(), f"{value} instead of {expected}"
    assert (difference <= error + known).all(), f"off by {difference}, error {error} and {known}"


# --- in a file ------------------------------------------------------------------------------------


def plain(value):
    """What a system is in YAML: pairs in the place of complex numbers."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, complex):
        return [value.real, value.imag]
    return value.item() if isinstance(value, np.generic) else value


IN_FILES = {
    system: parameters
    for entry in NUMBERS.values()
    for system, parameters in entry["system"].items()
    if entry["quantity"].keys() <= {"left_current", "left_current_and_noise", "lead_currents"}
}


@pytest.mark.parametrize("system", marked(IN_FILES))
def test_a_study_has_the_same_numbers(system):
    use_project(PROJECT)
    described = globals()[system](**IN_FILES[system])
    text = {"title": system, "study": "steady-current", "observables": ["currents", "noise"]}
    text["system"] = plain(described)
    path = PROJECT / "config" / "studies" / "own.yaml"
    with path.open("w") as file:
        YAML().dump(text, file)
    stored = nf.study("own", PROJECT).point()
    xr.testing.assert_identical(stored, solved(described, "currents", "noise"))

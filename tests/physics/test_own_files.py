"""Systems from files and functions carry what closed forms, others' programs and arrays say."""

import re

import numpy as np
import pytest
import scipy.sparse

import nessflow as nf
import own_files
from nessflow.registry import use_project
from nessflow.scattering.currents import steady_currents, transmission
from nessflow.scattering.noise import lead_noise
from nessflow.systems.lattices.given.file import File
from nessflow.systems.leads.unit_cell import UnitCell
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import OpenSystem, attached_leads

PROJECT = own_files.temporary()
FERMI = {"chemical_potential": 0.0, "temperature": 0.1}
LEADS = {"left": {"kind": "wide-band", "broadening": 1.0, **FERMI}}
use_project(PROJECT)
WIRE = File(path="data/wire_hr.dat", cut={"cells": 6})
RIBBON = File(path="data/graphene_hr.dat", cut={"cells": 3, "width": {2: 4}})


@pytest.fixture(autouse=True)
def project():
    use_project(PROJECT)


def continued(lattice, energies, fillings):
    """The lattice with energies of its rows between leads that continue it without these."""
    h = scipy.sparse.csr_array(lattice.described.hamiltonian) + scipy.sparse.diags_array(energies)
    leads = []
    for side, filling in zip(("left", "right"), fillings, strict=True):
        rows, *matrices = lattice.continuation(side)
        names = ("cell", "hopping", "coupling")
        lead = UnitCell(**dict(zip(names, matrices, strict=True)))
        leads += attached_leads(side, lead, tuple(rows.tolist()), *filling)
    zero = Tridiagonal.zero(h.shape[0])
    return OpenSystem(h, zero, zero, leads)


def energies_of(lattice, size):
    return size * np.sin(1.3 * np.arange(1, lattice.size + 1) ** 2)


# Numbers from an independent program: leads by an ordered QZ decomposition of their cells,
# integrals by adaptive quadrature; Kwant 1.5.0 agrees to 1e-14.


@pytest.mark.parametrize(
    ("lattice", "size", "energies", "expected"),
    [
        (
            WIRE,
            0.4,
            [-1.05, -0.9, 0.6, 1.3],
            [0.0003844889060362116, 0.00347057080590792, 0.48027501419272156, 0.7654087916851363],
        ),
        (
            RIBBON,
            0.6,
            [0.02, 0.3, 0.75, 1.3],
            [0.1238589892858071, 0.9901699089726976, 0.013092759519098052, 2.094807567838015],
        ),
    ],
    ids=["wire", "ribbon"],
)
def test_transmissions_of_files_of_wannier90(lattice, size, energies, expected):
    system = continued(lattice, energies_of(lattice, size), [(0.0, 0.1)] * 2)
    found = transmission(system, np.array(energies))
    np.testing.assert_allclose(found[0, 1], expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(found[1, 0], found[0, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("lattice", "size", "fillings", "expected"),
    [
        (WIRE, 0.4, [(0.85, 0.05), (0.5, 0.1)], (0.018780378060695237, 0.01440932198376808)),
        (RIBBON, 0.6, [(0.5, 0.05), (0.1, 0.05)], (0.04840277629954781, 0.013068467983332928)),
    ],
    ids=["wire", "ribbon"],
)
def test_current_and_noise_of_files_of_wannier90(lattice, size, fillings, expected):
    system = continued(lattice, energies_of(lattice, size), fillings)
    current, noise = steady_currents(system).particle_current, lead_noise(system).particle_noise
    assert current.value[0] == pytest.approx(expected[0], rel=0, abs=1e-11)
    assert noise.value[0, 0] == pytest.approx(expected[1], rel=0, abs=1e-11)
    assert max(current.error[0], noise.error[0, 0]) < 1e-9


def test_a_clean_ribbon_transmits_all_its_channels():
    """Band counts: the edge states, then the subbands, one by one."""
    system = continued(RIBBON, np.zeros(RIBBON.size), [(0.0, 0.1)] * 2)
    found = transmission(system, np.array([0.02, 0.3, 0.75, 1.3]))[0, 1]
    np.testing.assert_allclose(found, [1, 1, 1, 3], rtol=0, atol=1e-11)


@pytest.mark.parametrize("phase", [0.0, 0.7, 2.0])
def test_a_wave_across_is_a_chain_of_its_own(phase):
    """Square lattice: ``-2 cos(phase)`` on each site of a chain."""
    blocks = {(0, 0, 0): [[0.1]], (1, 0, 0): [[-1]], (0, 1, 0): [[-0.6]]}
    path = PROJECT / "data" / "square_hr.dat"
    path.write_text(own_files.hr_dat(blocks))
    lattice = File(path="data/square_hr.dat", cut={"cells": 5, "phase": {2: phase}})
    chain = nf.lattices.Chain(sites=5, onsite=0.1 - 1.2 * np.cos(phase))
    h, expected = lattice.hamiltonian(), chain.hamiltonian()
    assert isinstance(h, Tridiagonal)
    np.testing.assert_allclose(h.to_dense(), expected.to_dense(), atol=1e-15)
    by_width = File(path="data/square_hr.dat", cut={"cells": 5, "width": {2: 3}})
    strip = nf.lattices.Strip(length=5, width=3)
    assert abs(by_width.hamiltonian()).sum() == pytest.approx(2 * (12 + 0.6 * 10) + 1.5)
    np.testing.assert_array_equal(by_width.positions, strip.positions)


def test_the_fermi_energy_of_a_file_is_0():
    shifted = File(path="data/wire_hr.dat", fermi_energy=0.25, cut={"cells": 6})
    h = WIRE.described.hamiltonian - 0.25 * scipy.sparse.eye_array(12)
    np.testing.assert_allclose((shifted.described.hamiltonian - h).toarray(), 0, atol=1e-15)
    for side in ("left", "right"):
        own, other = (x.continuation(side) for x in (shifted, WIRE))
        np.testing.assert_allclose(own.cell, other.cell - 0.25 * np.eye(4), atol=1e-15)
        np.testing.assert_array_equal(own.hopping, other.hopping)


# --- matrices -------------------------------------------------------------------------------------


def strip(path, **others):
    leads = {
        "left": dict(kind="wide-band", broadening=0.8, site=(1, 2, 3, 4)),
        "right": dict(kind="wide-band", broadening=0.5, site=(21, 22, 23, 24)),
    }
    fillings = ((0.4, 0.05), (-0.2, 0.1))
    for lead, filling in zip(leads.values(), fillings, strict=True):
        lead |= dict(zip(("chemical_potential", "temperature"), filling, strict=True))
    return nf.System(lattice={"kind": "file", "path": path, **others}, leads=leads)


@pytest.mark.parametrize("name", ["strip.mtx", "strip.npz", "strip_arrays.npz"])
def test_a_matrix_of_a_file_is_that_matrix(name):
    """Closed form by matrices: Tr[Gamma G Gamma G^+], and an integral over it."""
    found = nf.transmission(strip(f"data/{name}"), [-1.4, -0.3, 0.8])
    expected = [0.8564964427860445, 0.7783626568568738, 1.408448142717739]
    np.testing.assert_allclose(found.sel(terminal="left", terminal_2="right"), expected, atol=1e-13)
    data = nf.solve(strip(f"data/{name}"), ["currents", "noise"])
    assert data.particle_current[0] == pytest.approx(0.11241489727822543, abs=1e-12)
    assert data.particle_noise[0, 0] == pytest.approx(0.05674613411166089, abs=1e-12)


def test_loss_and_gain_of_files_are_those_of_their_channels():
    """Bonds along three sites in a row: ``|c_j - i c_k|^2`` with a rate of 0.05, and on-site."""
    bonds = [{6: 1, 10: -1j}, {10: 1, 14: -1j}, {14: 2**0.5}]
    vectors = [{site: 0.05**0.5 * v for site, v in bond.items()} for bond in bonds]
    system = strip("data/strip.mtx")
    from_file = {"kind": "file", "path": "data/loss.mtx"}
    named = {"kind": "file", "path": "data/strip_arrays.npz", "name": "loss"}
    for key in ("loss", "gain"):
        written = {"kind": "vectors", "vectors": vectors}
        if key == "gain":  # Q is the transpose of P of the same amplitudes
            written["vectors"] = [{s: np.conj(v) for s, v in each.items()} for each in vectors]
        parts = {"lattice": system.lattice, "leads": system.leads}
        found = [
            nf.transmission(nf.System(**parts, **{key: each}), [0.3, 1.1])
            for each in (from_file, named, written)
        ]
        np.testing.assert_allclose(found[0], found[2], atol=1e-13)
        np.testing.assert_array_equal(found[0], found[1])
        assert found[0].sel(terminal_2=key, terminal="left").min() > 1e-3


def test_leads_of_cells_in_files():
    cell, hopping = ({"file": "data/lead.npz"} for _ in range(2))
    given = np.load(PROJECT / "data" / "lead.npz")
    lead = nf.leads.UnitCell(cell=cell, hopping=hopping, site=(1, 2), **FERMI)
    np.testing.assert_array_equal(lead.matrices[0], given["cell"])
    np.testing.assert_array_equal(lead.matrices[1], given["hopping"])
    same = nf.leads.UnitCell(cell=given["cell"], hopping=given["hopping"], site=(1, 2), **FERMI)
    assert lead == same


# --- functions and arrays -------------------------------------------------------------------------


def test_what_a_function_describes_is_the_same_system_written_out():
    loss, gain = {"kind": "onsite", "rate": 0.02}, {"kind": "sites", "rates": {2: 0.03}}
    fillings = {
        "left": {"chemical_potential": 0.3, "temperature": 0.1},
        "right": {"chemical_potential": -0.1, "temperature": 0.2},
    }
    written = nf.System(
        lattice={"kind": "chain", "sites": 5, "onsite": 0.2},
        loss=loss,
        gain=gain,
        leads={name: {"kind": "semi-infinite-chain", **x} for name, x in fillings.items()},
    )
    made = nf.lattices.Python(
        function="parts/my_model.py:described", parameters={"sites": 5, "energy": 0.2}
    )
    found = nf.System(
        made, leads={name: {"kind": "continued", **x} for name, x in fillings.items()}
    )
    first, second = (nf.solve(x, ["currents", "noise", "density"]) for x in (found, written))
    for name in ("particle_current", "particle_noise", "occupation"):
        np.testing.assert_allclose(first[name], second[name], rtol=1e-11, atol=1e-12)
    both = nf.solve(nf.System(made, loss=loss, leads=found.leads), "currents")
    twice = nf.System(
        lattice=written.lattice,
        loss={"kind": "onsite", "rate": 0.04},
        gain=gain,
        leads=written.leads,
    )
    expected = nf.solve(twice, "currents").particle_current
    np.testing.assert_allclose(both.particle_current, expected, rtol=1e-11)


@pytest.mark.parametrize("sites", [4, 4.0])
def test_numbers_without_a_fraction_are_whole(sites):
    """Those of an axis come as float, and count sites all the same."""
    made = nf.lattices.Python(function="parts/my_model.py:chain", parameters={"sites": sites})
    assert made.sites == 4
    assert made == nf.lattices.Python(function="parts/my_model.py:chain", parameters={"sites": 4})


def test_what_is_wrong_with_arrays_is_told_in_one_line():
    h = np.diag([1.0, 2.0])
    for given, said in (
        (h + 1j, r"Python: hamiltonian is not Hermitian: the element \(0, 0\) = 1\+1j has"),
        (h[:1], r"Python: hamiltonian: expected a square matrix, got the shape \(1, 2\)"),
        (h * np.nan, r"Python: hamiltonian: the element \(0, 0\) is nan"),
        ({"hamiltonian": h, "lead": {}}, "Python: a description has no lead; it may have"),
        (None, "System: lattice"),
        (3, "expected a square matrix"),
    ):
        with pytest.raises(ValueError, match=said) as caught:
            nf.System(given, leads=LEADS)
        assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="System takes its values by name"):
        nf.System(h, LEADS)
    with pytest.raises(ValueError, match="zero-current: lower: expected a value; it is missing"):
        nf.point("zero-current", system=nf.System(h, leads=LEADS))


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        ({"orbitals": [2]}, "lead left: there is no row 2: the system has 2, from 0"),
        ({"orbitals": [0, 0]}, "lead left: a row of its orbitals is listed twice"),
        ({"orbitals": [0.5]}, "lead left: orbitals: expected numbers of rows, from 0"),
        ({"cell": None}, "lead left: expected orbitals, cell and hopping, or orbitals and self"),
        ({"self_energy": 3}, "lead left: self_energy stands in the place of cell"),
        ({"cell": [[0, 1], [2, 0]]}, "lead left: cell is not Hermitian: the element (0, 1) = 1"),
        ({"hopping": [[1.0, 0]]}, "lead left: hopping has the shape (1, 2), cell (1, 1)"),
        ({"hopping": [[0]]}, "lead left: hopping is 0: nothing moves along the lead"),
        ({"orbitals": [0, 1]}, "lead left: 2 orbitals, and cells of 1; say the coupling"),
        ({"coupling": [[1.0, 2.0]]}, "lead left: coupling has the shape (1, 2); expected (1, 1)"),
        ({"hoping": [[1]]}, "lead left has no hoping; it may have orbitals, cell, hopping"),
    ],
)
def test_what_is_wrong_with_leads_is_told(lead, said):
    sound = {"orbitals": [0], "cell": [[0.0]], "hopping": [[-1.0]]}
    given = {"hamiltonian": np.eye(2), "leads": {"left": sound | lead}}
    with pytest.raises(ValueError, match=re.escape(said)):
        nf.System(given, leads=LEADS)


def told_by_self_energies(leads):
    """The same leads, of which only self-energies between their rows are known."""

    def told(orbitals, cell, hopping):
        lead = UnitCell(cell=cell, hopping=hopping)
        inner = [x for x in lead.edges if lead.bottom < x < lead.top]
        return {
            "orbitals": orbitals,
            "self_energy": lambda energies: lead.surface.at(energies)[0],
            "band": (lead.bottom, lead.top),
            "break_points": inner,
        }

    return {name: told(**lead) for name, lead in leads.items()}


def test_leads_of_self_energies_are_those_of_their_cells():
    """A strip in a field between strips in that field: all of both, densities included."""
    h = own_files.strip_with_flux()
    cell, hopping = -(np.eye(4, k=1) + np.eye(4, k=-1)), np.diag(-np.exp(0.4j * np.arange(1, 5)))
    cells = {
        "left": {"orbitals": [0, 1, 2, 3], "cell": cell, "hopping": hopping.conj()},
        "right": {"orbitals": [20, 21, 22, 23], "cell": cell, "hopping": hopping},
    }
    np.testing.assert_allclose(h[:4, 4:8], hopping, atol=1e-15)
    fillings = {"left": (0.3, 0.05), "right": (0.0, 0.1)}
    leads = {
        name: {"kind": "continued", "chemical_potential": mu, "temperature": temperature}
        for name, (mu, temperature) in fillings.items()
    }
    asked = ["currents", "noise", "density", "bond-currents", "cumulants"]
    found, expected = (
        nf.solve(nf.System({"hamiltonian": h, "leads": given}, leads=leads), asked)
        for given in (told_by_self_energies(cells), cells)
    )
    names = ("particle_current", "particle_noise", "occupation", "bond_current", "third_cumulant")
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-11)
        assert found[f"{name}_error"].max() < 1e-9
    assert found.particle_current[0] > 0.01


def test_a_constant_self_energy_is_a_wide_band():
    """States at all energies: integrals have no end."""
    ends = {"left": [0, 1, 2, 3], "right": [20, 21, 22, 23]}
    told = {
        name: {
            "orbitals": rows,
            "self_energy": lambda e: np.full((e.size, 4, 4), -0.25j) * np.eye(4),
        }
        for name, rows in ends.items()
    }
    fillings = {
        "left": {"chemical_potential": 0.3, "temperature": 0.05},
        "right": {"chemical_potential": 0, "temperature": 0.1},
    }
    h = own_files.strip_with_flux()
    wide = {"kind": "wide-band", "broadening": 0.5}
    sites = {name: tuple(row + 1 for row in rows) for name, rows in ends.items()}
    found, expected = (
        nf.solve(nf.System(given, leads=leads), ["currents", "noise", "density"])
        for given, leads in (
            (
                {"hamiltonian": h, "leads": told},
                {n: {"kind": "continued", **x} for n, x in fillings.items()},
            ),
            (h, {n: {**wide, "site": sites[n], **x} for n, x in fillings.items()}),
        )
    )
    for name in ("particle_current", "energy_current", "particle_noise", "occupation"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        ({"self_energy": 3}, "lead left: self_energy: expected a function of energies"),
        ({"band": [2, -2]}, "lead left: band: expected the lowest and the highest energy"),
        ({"band": [2]}, "lead left: band: expected the lowest and the highest energy"),
        ({"break_points": [3]}, "lead left: break_points: 3 is not inside of the band"),
        ({"break_points": "a"}, "lead left: band and break_points: expected energies"),
        ({"self_energy": lambda e: e}, "expected numbers of the shape (4, 2, 2), got float64 of"),
        (
            {"self_energy": lambda e: np.ones((e.size, 2, 2)) * (1j + np.eye(2))},
            "i (Sigma - Sigma^+) has the eigenvalue -4, and is not retarded",
        ),
        ({"self_energy": lambda e: np.full((e.size, 2, 2), np.nan)}, "it is not finite"),
    ],
)
def test_what_is_wrong_with_self_energies_is_told(lead, said):
    sound = {"orbitals": [0, 1], "band": (-2, 2), "self_energy": lambda e: -1j * np.eye(2)[None]}
    given = {"hamiltonian": np.eye(2), "leads": {"left": sound | lead}}
    with pytest.raises(ValueError, match=re.escape(said)):
        nf.System(given, leads={"left": {"kind": "continued", **FERMI}})


def of_arrays():
    h = own_files.strip_with_flux()
    return {
        "array": h,
        "list": h.tolist(),
        "csr": scipy.sparse.csr_array(h),
        "coo matrix": scipy.sparse.coo_matrix(h),
        "mapping": {"hamiltonian": h},
        "rows": nf.lattices.Matrix(hamiltonian=h),
    }


@pytest.mark.parametrize("name", of_arrays())
def test_the_library_takes_matrices(name):
    leads = strip("data/strip.mtx").leads
    found = nf.transmission(nf.System(of_arrays()[name], leads=leads), [-1.4, -0.3, 0.8])
    expected = nf.transmission(strip("data/strip.mtx"), [-1.4, -0.3, 0.8])
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_a_large_sparse_matrix_stays_sparse():
    ones = np.ones(20_000)
    h = scipy.sparse.diags_array([-ones, -ones], offsets=[-2, 2], shape=(20_002,) * 2)
    lattice = nf.System(h, leads=LEADS).lattice
    assert scipy.sparse.issparse(lattice.hamiltonian())
    assert lattice.bonds.first.size == 20_000

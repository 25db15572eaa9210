"""Lattices of equal cells: how they go on beyond their sides, in a field and with spin.

Transmissions are those of dense matrices (`surface`); numbers are of independent code, which agrees
with Kwant to 1e-13.
"""

import numpy as np
import pytest

import nessflow as nf
from nessflow.registry import members
from nessflow.scattering.currents import transmission
from nessflow.studies.systems import open_system
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.crystals.cubic import Cubic
from nessflow.systems.lattices.crystals.honeycomb import Honeycomb
from nessflow.systems.lattices.crystals.square import Square
from nessflow.systems.lattices.crystals.triangular import Triangular
from nessflow.systems.lattices.ladder import Ladder
from nessflow.systems.lattices.ring import Ring as RingOfSites
from nessflow.systems.lattices.ssh import SSH
from nessflow.systems.lattices.strip import Strip
from nessflow.systems.matrices import as_dense, checked
from nessflow.systems.shapes.disc import Disc
from nessflow.systems.shapes.hall_bar import HallBar
from nessflow.systems.shapes.rectangle import Rectangle
from nessflow.systems.shapes.ring import Ring
from nessflow.systems.shapes.shape import Shape
from nessflow.testing import check_shape
from surface import transmissions

ENERGIES = [-2.27, -1.13, 0.21, 0.77, 1.9]


def dense(lattice, disorder=0.0):
    return as_dense(checked("", lattice.hamiltonian(disorder)))


def table(lattice, sides, energies, disorder=0.0):
    """Transmissions ``T[energy, a, b]`` between continued sides."""
    leads = [lattice.continuation(side) for side in sides]
    h = dense(lattice, disorder)
    found = np.array([transmissions(h, leads, energy) for energy in energies])
    return found * (1 - np.eye(len(sides)))


def through(lattice, energies, disorder=0.0):
    """Transmission from left to right."""
    return table(lattice, ["left", "right"], energies, disorder)[:, 1, 0]


def wave(size, strength):
    """``strength sin(1.3 j^2)``."""
    return strength * np.sin(1.3 * np.arange(1, size + 1) ** 2)


RASHBA = {
    "orbitals": 2,
    "onsite": ((0.3, 0), (0, -0.3)),
    "hopping": ((1, -0.5), (0.5, 1)),
}
FILLING = {"chemical_potential": 0, "temperature": 0}
KNOWN = {
    "strip": (
        Strip(length=5, width=3),
        1.5 * (np.arange(15) // 3 == 2),
        [-1.9, 0.05],
        [0.773600953522416, 1.5792334344427439],
    ),
    "strip with disorder": (
        Strip(length=6, width=5),
        wave(30, 0.8),
        [-2.5, -1.1, 0.2],
        [1.2427022680357094, 1.3457304370993872, 1.9633686825984489],
    ),
    "clean strip with flux": (
        Strip(length=6, width=5, flux=0.5),
        0.0,
        [-3.4, -2.9, -2.1, -1.03, -0.2, 0.45],
        [1, 1, 2, 3, 4, 3],
    ),
    "strip with flux": (
        Square(length=6, width=5, flux=0.5),
        wave(30, 0.8),
        [-3.4, -2.9, -2.1, -1.03, -0.2, 0.45],
        [
            *(0.6696012198115713, 0.9081480993861837, 1.111695026515416),
            *(1.712653071210882, 1.978051894937829, 0.541958962975776),
        ],
    ),
    "clean zigzag": (Honeycomb(length=3, width=4), 0.0, [0.02, 0.3, 0.75, 1.3], [1, 1, 1, 3]),
    "zigzag": (
        Honeycomb(length=3, width=4),
        wave(24, 0.6),
        [0.02, 0.3, 0.75, 1.3],
        [0.1238589892858071, 0.9901699089726976, 0.013092759519098052, 2.094807567838015],
    ),
    "clean armchair": (
        Honeycomb(length=3, width=7, edge="armchair"),
        0.0,
        [0.1, 0.35, 0.8, 1.35],
        [0, 1, 2, 3],
    ),
    "armchair": (
        Honeycomb(length=3, width=7, edge="armchair"),
        wave(42, 0.6),
        [0.1, 0.35, 0.8, 1.35],
        [0, 0.7788975781569598, 1.315856302226959, 1.1651608147777475],
    ),
    "clean wire with spin": (
        Chain(sites=12, **RASHBA),
        0.0,
        [-2.324524, -2.29, -1.0, 0.3, 1.6],
        [2, 1, 2, 2, 2],
    ),
    "wire with spin": (
        Chain(sites=12, **RASHBA),
        wave(12, 0.4),
        [-2.324524, -2.29, -1.0, 0.3, 1.6],
        [
            *(0.0054727417865775944, 0.002044023273964823),
            *(1.2108683940986338, 1.8500271213609258, 0.7168542482176906),
        ],
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_transmissions_are_those_of_other_code(name):
    lattice, disorder, energies, expected = KNOWN[name]
    np.testing.assert_allclose(through(lattice, energies, disorder), expected, atol=1e-11)


ENDLESS = {
    "chain": lambda n: Chain(sites=n, hopping=0.7, onsite=0.1),
    "ssh": lambda n: SSH(sites=n, intracell_hopping=0.8),
    "chain with spin": lambda n: Chain(sites=n, **RASHBA),
    "ladder": lambda n: Ladder(length=n, rung_hopping=0.6, flux=0.7),
    "triangular": lambda n: Triangular(length=n, width=3, flux=0.4),
    "zigzag": lambda n: Honeycomb(length=n, width=2, flux=0.8),
    "armchair": lambda n: Honeycomb(length=n, width=3, edge="armchair", flux=0.5),
    "cubic": lambda n: Cubic(length=n, width=2, height=2, flux=0.9),
    "directions": lambda n: Square(length=n, width=3, hopping={"x": 1.2, "y": "0.3+0.4i"}),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_clean_it_transmits_all_modes_however_long_it_is(name):
    """Nothing is reflected where a lattice goes on as it is."""
    two, five = (through(ENDLESS[name](n), ENERGIES) for n in (2, 5))
    np.testing.assert_allclose(two, five, atol=1e-9)
    np.testing.assert_allclose(two, two.round(), atol=1e-9)
    assert two.max() > 0.99


def test_a_chain_of_two_sites_goes_on_from_either_of_them():
    """An odd chain ends with the other bond."""
    found = through(SSH(sites=5, intracell_hopping=0.8), ENERGIES)
    np.testing.assert_allclose(found, through(ENDLESS["ssh"](2), ENERGIES), atol=1e-9)


UPWARDS = {
    "square": lambda n: Square(length=3, width=n, flux=0.6),
    "turned": lambda n: Square(length=4, width=n, flux=0.6, hopping={"x": "0.8+0.3i", "y": 1.1}),
    "triangular": lambda n: Triangular(shape=Rectangle(length=4, width=0.87 * n), flux=0.3),
    "zigzag": lambda n: Honeycomb(shape=Rectangle(length=4, width=1.51 * n), flux=0.5),
    "armchair": lambda n: Honeycomb(
        shape=Rectangle(length=6.1, width=0.87 * n), edge="armchair", flux=0.7
    ),
    "cubic": lambda n: Cubic(length=2, width=n, height=2, flux=0.7),
}


@pytest.mark.parametrize("name", UPWARDS)
def test_it_goes_on_upwards_in_the_same_field(name):
    """Rows of the leads may belong to the lattice: between top and bottom nothing is reflected."""
    tables = [table(UPWARDS[name](n), ["bottom", "top"], ENERGIES) for n in (4, 6, 10)]
    found = tables[0][:, 1, 0]
    assert found.max() > 0.99
    np.testing.assert_allclose(found, found.round(), atol=1e-8)
    for other in tables[1:]:
        np.testing.assert_allclose(other[:, 1, 0], found, atol=1e-8)


def test_a_cross_in_a_field_does_not_depend_on_where_its_arms_begin():
    """Four leads of one field: the gauge changes at the contacts alone."""
    sides = ["left", "right", "top", "bottom"]
    short, long = (
        Square(shape=HallBar(length=6, width=5, arms=4, arm_width=4, arm_length=n), flux=0.5)
        for n in (1, 3)
    )
    first, second = (table(x, sides, ENERGIES) for x in (short, long))
    np.testing.assert_allclose(first, second, atol=1e-9)
    assert abs(first - first.swapaxes(1, 2)).max() > 0.1
    back = table(short.model_copy(update={"flux": -0.5}), sides, ENERGIES)
    np.testing.assert_allclose(back, first.swapaxes(1, 2), atol=1e-9)


def test_a_field_is_the_same_far_away():
    """Phases grow with the place, and lose no digits."""
    near, far = (
        Square(shape=Rectangle(corner=corner, length=3, width=4), flux=0.7)
        for corner in ((1, 1), (-30000, 50000))
    )
    sides = ["left", "right", "top", "bottom"]
    first, second = (table(x, sides, ENERGIES) for x in (near, far))
    np.testing.assert_allclose(first, second, atol=1e-10)


def test_a_cross_with_spin_in_a_field_does_not_depend_on_where_its_arms_begin():
    """Rashba coupling of both directions, a Zeeman field and a flux."""
    rashba = {"x": ((1, -0.4), (0.4, 1)), "y": ((1, "0.4i"), ("0.4i", 1))}
    keys = {"orbitals": 2, "hopping": rashba, "onsite": ((0.2, 0.1), (0.1, -0.2)), "flux": 0.3}
    short, long = (
        Square(shape=HallBar(length=4, width=3, arms=4, arm_width=2, arm_length=n), **keys)
        for n in (1, 2)
    )
    sides = ["left", "right", "top", "bottom"]
    first, second = (table(x, sides, ENERGIES) for x in (short, long))
    np.testing.assert_allclose(first, second, atol=1e-9)
    np.testing.assert_allclose(first.sum(axis=1), first.sum(axis=2), atol=1e-9)


def test_a_hall_bar_has_six_arms_that_carry_all_that_comes():
    """Into and out of each lead goes as much as it has modes."""
    bar = Square(shape=HallBar(length=12, width=4, arm_width=3, arm_length=2), flux=0.4)
    sides = ["left", "right", "top-1", "top-2", "bottom-1", "bottom-2"]
    columns = [np.unique(bar.positions[bar.continuation(side).rows, 0]) for side in sides[2:]]
    assert [x.tolist() for x in columns] == [[2, 3, 4], [8, 9, 10]] * 2
    found = table(bar, sides, ENERGIES)
    np.testing.assert_allclose(found.sum(axis=1), found.sum(axis=2), atol=1e-9)
    both = table(bar, ["left", "right", "top", "bottom"], ENERGIES)
    np.testing.assert_allclose(both[:, 2, 0], found[:, 2, 0] + found[:, 3, 0], atol=1e-9)


def test_a_hall_cross_whose_arms_have_no_flux_is_that_of_other_code():
    """The arms go on without flux in the gauge of the square's edge, as unit cells."""
    size, flux = 8, 0.5
    square = Square(length=size, width=size, flux=flux)
    beside = [square.continuation(side) for side in ("left", "right")]
    for row in (size, 1):
        cell = np.diag(np.full(size - 1, -np.exp(1j * flux * row)), 1)
        hopping = -np.eye(size)
        rows = np.arange(size) * size + row - 1
        beside.append((rows, cell + cell.conj().T, hopping, hopping))
    expected = [
        [0.014174509185769886, 0.014174509185769903, 1.8126518918112312e-08, 0.9858254226957557],
        [0.012603579319082663, 0.012603579319082781, 0.00013625186692069817, 1.987248550078464],
        [0.04098733603294799, 0.040987316032947335, 0.007974667613016424, 2.9505503039038703],
    ]
    expected[2][0] = 0.04098731603294799
    for energy, numbers in zip([-3.2, -2.05, -1.3], expected, strict=True):
        t = transmissions(dense(square), beside, energy)
        np.testing.assert_allclose([t[1, 0], t[0, 1], t[2, 0], t[3, 0]], numbers, atol=1e-11)
    cells = {
        name: nf.leads.UnitCell(
            cell=cell.tolist(), site=(rows + 1).tolist(), hopping=hopping.tolist(), **FILLING
        )
        for name, (rows, cell, hopping, _) in zip(["top", "bottom"], beside[2:], strict=True)
    }
    ends = {name: nf.leads.Continued(**FILLING) for name in ("left", "right")}
    found = nf.transmission(nf.System(lattice=square, leads=ends | cells), [-3.2, -2.05, -1.3])
    ways = [("right", "left"), ("left", "right"), ("top", "left"), ("bottom", "left")]
    numbers = [found.sel(terminal=a, terminal_2=b).values for a, b in ways]
    np.testing.assert_allclose(np.transpose(numbers), expected, atol=1e-11)


# --- as leads -------------------------------------------------------------------------------------


def lead(mu, **keys):
    return nf.leads.Continued(chemical_potential=mu, temperature=0.05, **keys)


SOLVED = {
    "strip": (
        Strip(length=6, width=5, onsite=tuple(wave(30, 0.8))),
        (-1.0, -1.5),
        (0.12069174578521669, 0.05696506588674129),
    ),
    "strip with flux": (
        Strip(length=6, width=5, flux=0.5, onsite=tuple(wave(30, 0.8))),
        (-1.0, -1.5),
        (0.12147831884142805, 0.04649415992363222),
    ),
    "zigzag": (
        Honeycomb(length=3, width=4, onsite=tuple(wave(24, 0.6))),
        (0.5, 0.1),
        (0.04840277629954781, 0.013068467983332928),
    ),
    "barrier": (
        Strip(length=5, width=3, onsite=tuple(1.5 * (np.arange(15) // 3 == 2))),
        (-1.75, -2.15),
        (0.046680888299341146, 0.027255093649727044),
    ),
}


@pytest.mark.parametrize("name", SOLVED)
def test_currents_and_noise_between_continued_leads_are_those_of_other_code(name):
    lattice, (left, right), expected = SOLVED[name]
    system = nf.System(lattice=lattice, leads={"left": lead(left), "right": lead(right)})
    found = nf.solve(system, ["currents", "noise"])
    values = float(found["particle_current"][0]), float(found["particle_noise"][0, 0])
    np.testing.assert_allclose(values, expected, atol=1e-12)


RESPONSE = {
    "zigzag": (
        Honeycomb(length=3, width=4, onsite=tuple(wave(24, 0.6))),
        (0.35, 0.05),
        (0.14706405056819216, 0.1047022484601518),
        1e-10,
    ),
    "armchair": (
        Honeycomb(length=3, width=7, edge="armchair", onsite=tuple(wave(42, 0.6))),
        (0.15, 0.04),
        (0.007798657510223173, 3.203466745031545),
        5e-9,
    ),
}


@pytest.mark.parametrize("name", RESPONSE)
def test_conductances_and_seebeck_coefficients_of_ribbons_are_those_of_other_code(name):
    """A zigzag ribbon has states along its edges, so that self-energies diverge at the energy 0."""
    lattice, (mu, temperature), expected, error = RESPONSE[name]
    ends = {"kind": "continued", "chemical_potential": mu, "temperature": temperature}
    system = {"lattice": lattice, "leads": {"left": ends, "right": ends}}
    found = nf.point("linear-response", system=system, observables=[])
    assert found.attrs["status"] == "ok"
    values = [found[name].item() for name in ("electrical_conductance", "seebeck_coefficient")]
    np.testing.assert_allclose(values, expected, atol=error)


@pytest.mark.parametrize("name", ["strip with flux", "zigzag", "armchair", "wire with spin"])
def test_transmissions_of_continued_leads_are_those_of_other_code(name):
    lattice, disorder, energies, expected = KNOWN[name]
    site_by_site = nf.System(lattice=lattice, leads={"left": lead(0), "right": lead(0)})
    system = open_system(site_by_site, None).with_hamiltonian(lattice.hamiltonian(disorder))
    found = transmission(system, np.array(energies))[1, 0]
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_a_strip_goes_on_as_the_rows_of_a_strip():
    """Without flux the states of a column do not mix, and the lead is known in closed form."""
    strip = Strip(length=3, width=4, hopping=0.8, onsite=0.2)
    rows = nf.leads.SemiInfiniteStrip(
        hopping=0.8,
        coupling=0.8,
        onsite=0.2,
        site=(1, 2, 3, 4),
        chemical_potential=0,
        temperature=0,
    )
    found, expected = (
        open_system(nf.System(lattice=strip, leads={"left": each}), None)
        for each in (lead(0), rows)
    )
    energies = np.array(ENERGIES)
    assert {channel.model.kind for channel in found.leads} == {"semi-infinite-chain"}
    np.testing.assert_allclose(
        found.contact_self_energy(energies), expected.contact_self_energy(energies), atol=1e-14
    )


def test_energies_that_all_sites_have_go_on_and_others_do_not():
    strip = Strip(length=3, width=2, onsite=0.4)
    cell = strip.continuation("left").cell
    np.testing.assert_array_equal(np.diag(cell), [0.4, 0.4])
    listed = Strip(length=3, width=2, onsite=(0.4,) * 6)
    np.testing.assert_array_equal(np.diag(listed.continuation("left").cell), [0, 0])
    found, _ = lead(0, onsite=-0.4).beyond(strip, "left")
    np.testing.assert_array_equal(np.diag(found.cell), [0, 0])


def test_a_probe_may_be_an_arm_that_goes_on():
    """Without a field both arms of a cross find one potential between those of its ends."""
    cross = Square(shape=HallBar(length=5, width=3, arms=4, arm_width=3, arm_length=1))
    arm = {"kind": "continued", "temperature": 0.05}
    found = nf.point(
        "probes",
        system={
            "lattice": cross,
            "leads": {
                "left": arm | {"chemical_potential": 0.3},
                "right": arm | {"chemical_potential": 0.1},
            },
            "probes": {"top": arm, "bottom": arm},
        },
    )
    assert found.attrs["status"] == "ok"
    top, bottom = found["chemical_potential"].sel(lead=["top", "bottom"]).values
    assert top == pytest.approx(bottom, abs=1e-10)
    assert 0.1 < top < 0.3


MISPLACED = {
    "there is no side 'up'|has no side 'up'": {"up": {}},
    "a continued lead is where its side of the lattice is; leave site out": {"left": {"site": 3}},
    "there is no orbital 2: each site has 1": {"left": {"orbital": 2}},
}


@pytest.mark.parametrize("reason", MISPLACED)
def test_a_continued_lead_has_a_side_and_no_site(reason):
    leads = {
        name: {"kind": "continued", "chemical_potential": 0, "temperature": 0} | keys
        for name, keys in MISPLACED[reason].items()
    }
    with pytest.raises(ValueError, match=reason):
        nf.System(lattice={"kind": "strip", "length": 3, "width": 2}, leads=leads)


# --- flux -----------------------------------------------------------------------------------------

LOOPS = {
    "strip": (Strip(length=2, width=2, flux=0.7), (1.5, 1.5), 4),
    "ladder": (Ladder(length=2, flux=0.7), (1.5, 1.5), 4),
    "triangle": (Triangular(shape=Disc(radius=2), flux=0.7), (0.5, np.sqrt(1 / 12)), 3),
    "triangle on its head": (Triangular(shape=Disc(radius=2), flux=0.7), (0, np.sqrt(1 / 3)), 3),
    "cubic": (Cubic(length=2, width=2, height=1, flux=0.7), (1.5, 1.5, 1), 4),
    "zigzag": (Honeycomb(shape=Disc(radius=3), flux=0.7), (0, 1), 6),
    "armchair": (Honeycomb(shape=Disc(radius=3), edge="armchair", flux=0.7), (0.5, 0.75**0.5), 6),
}


@pytest.mark.parametrize("name", LOOPS)
def test_the_phase_around_a_loop_is_the_flux(name):
    lattice, middle, corners = LOOPS[name]
    h, away = dense(lattice), lattice.positions - middle
    distance = np.hypot(*away.T[:2])
    loop = np.flatnonzero(distance < distance.min() + 1e-9)
    loop = loop[np.argsort(np.arctan2(away[loop, 1], away[loop, 0]))]
    assert loop.size == corners
    product = np.prod([-h[j, k] for j, k in zip(loop, np.roll(loop, -1), strict=True)])
    assert product == pytest.approx(np.exp(-0.7j))


# --- shapes ---------------------------------------------------------------------------------------


def test_sites_of_a_shape_are_numbered_by_x_and_then_by_y():
    strip, cut = Strip(length=4, width=3), Square(shape=Rectangle(length=4, width=3))
    np.testing.assert_array_equal(strip.positions, cut.positions)
    np.testing.assert_array_equal(dense(strip), dense(cut))
    places = Honeycomb(shape=Disc(radius=4)).positions
    np.testing.assert_array_equal(np.lexsort(places.round(9).T[::-1]), np.arange(len(places)))


def test_a_ring_may_have_arms():
    """Several shapes have all sites that are in any of them."""
    arms = [Rectangle(corner=(x, -2), length=5, width=5) for x in (-9, 5)]
    ring = Square(shape=(Ring(inner_radius=3, outer_radius=6), *arms), flux=0.2)
    assert [ring.continuation(side).rows.size for side in ("left", "right")] == [5, 5]
    longer = [Rectangle(corner=(x, -2), length=8, width=5) for x in (-12, 5)]
    other = ring.model_copy(update={"shape": (Ring(inner_radius=3, outer_radius=6), *longer)})
    assert other.sites == ring.sites + 30
    np.testing.assert_allclose(through(ring, ENERGIES), through(other, ENERGIES), atol=1e-9)


SHAPES = {
    "disc": (Disc(radius=3), 29),
    "ring": (Ring(inner_radius=2, outer_radius=3), 20),
    "rectangle": (Rectangle(length=4, width=2), 8),
    "hall bar": (HallBar(length=8, width=3, arms=4, arm_width=2, arm_length=2), 32),
}


def test_all_shapes_are_tried():
    assert {type(shape) for shape, _ in SHAPES.values()} == set(members(Shape).values())


@pytest.mark.parametrize("name", SHAPES)
def test_it_obeys_the_laws_of_shapes(name):
    check_shape(SHAPES[name][0])


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_has_the_sites_inside(name):
    shape, count = SHAPES[name]
    lattice = Square(shape=shape)
    assert lattice.sites == count
    steps = lattice.positions[None] - lattice.positions[:, None]
    neighbours = abs(np.hypot(*steps.T) - 1) < 1e-9
    np.testing.assert_array_equal(dense(lattice), -1.0 * neighbours)


@pytest.mark.parametrize("edge", ["zigzag", "armchair"])
def test_each_site_of_a_honeycomb_has_three_neighbours_at_the_distance_1(edge):
    flake = Honeycomb(shape=Disc(radius=6), edge=edge)
    places = flake.positions
    steps = np.hypot(*(places[None] - places[:, None]).T)
    near = (abs(steps - 1) < 1e-9).astype(float)
    np.testing.assert_array_equal(dense(flake), -near)
    assert set(near[np.hypot(*places.T) < 4.9].sum(axis=1)) == {3}
    assert np.sort(steps[0])[1] > 0.99


def test_a_triangular_lattice_has_six_neighbours_at_the_distance_1():
    flake = Triangular(shape=Disc(radius=4))
    places = flake.positions
    steps = np.hypot(*(places[None] - places[:, None]).T)
    near = (abs(steps - 1) < 1e-9).astype(float)
    np.testing.assert_array_equal(dense(flake), -near)
    assert set(near[np.hypot(*places.T) < 2.9].sum(axis=1)) == {6}


REFUSED = {
    "length is missing: give length and width, or a shape": lambda: Square(width=3),
    "the shape says how large it is; leave width out": lambda: Square(
        width=3, shape=Disc(radius=2)
    ),
    "the directions are x, y; give a hopping for each": lambda: Square(
        length=2, width=2, hopping={"x": 1}
    ),
    "there is no site in this shape": lambda: (
        Square(shape=Ring(inner_radius=0.2, outer_radius=0.3)).sites
    ),
    "a square has no side 'up'; its sides are left, right, bottom, top": lambda: Square(
        length=2, width=2
    ).continuation("up"),
    "there is no 'top-3'": lambda: Square(
        shape=HallBar(length=12, width=4, arm_width=3, arm_length=2)
    ).continuation("top-3"),
    "the triangular is too small to go on there": lambda: Triangular(
        length=3, width=1
    ).continuation("top"),
    "how a lattice of the kind ring goes on is not known from itself; give the lead as": lambda: (
        RingOfSites(sites=5).continuation("left")
    ),
    "a ssh of 1 sites has no whole period": lambda: SSH(sites=1).continuation("left"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_is_refused(reason):
    with pytest.raises(ValueError, match=reason.replace("'", ".")):
        REFUSED[reason]()

"""Maps of lattices: what is a disc, what is an arrow, what is one site, and what is refused."""

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.quiver import Quiver
from test_figures import MAP_OF_CURRENTS, lattice, words_of

from nessflow.config.contents.layout import layout_of
from nessflow.config.project import load_study
from nessflow.errors import ConfigError
from nessflow.figures.data import along, in_units
from nessflow.figures.lattice_map import drawn_of
from nessflow.figures.plots import draw
from nessflow.figures.specs import SPEC
from nessflow.figures.units import FigureError
from nessflow.verbs.figure_checks import figure_problems
from nessflow.written.physical import Units

SPECIFICATION = SPEC.validate_python(MAP_OF_CURRENTS | {"name": "flow"})


def arrows(data, **changes):
    """Middle and direction of each arrow that is drawn."""
    spec = SPEC.validate_python(MAP_OF_CURRENTS | {"name": "flow", **changes})
    figure = draw(spec, {"own": data}, "own")
    found = [x for x in figure.axes[0].collections if isinstance(x, Quiver)]
    if not found:
        return figure, np.empty((0, 2)), np.empty((0, 2))
    (quiver,) = found
    along = np.stack([quiver.U, quiver.V], axis=1)
    return figure, quiver.XY + along / 2, along


def test_bonds_between_orbitals_of_two_sites_are_one_arrow():
    """In the middle of the bond, in the direction and of the length of the sum of its currents."""
    data = lattice()
    _, middles, along = arrows(data)
    here = data.sel(mu=0.5)
    places = np.stack([here["x"], here["y"]], axis=1)
    total = {}
    for first, second, current in zip(
        here["bond_site"].values,
        here["bond_site_2"].values,
        here["bond_current"].values,
        strict=True,
    ):
        one, other = places[int(first) - 1], places[int(second) - 1]
        if not np.array_equal(one, other):
            key = tuple((one + other) / 2)
            total[key] = total.get(key, 0.0) + current * (other - one)
    largest = max(np.hypot(*value) for value in total.values())
    drawn = {key: value for key, value in total.items() if np.hypot(*value) > 0.03 * largest}
    assert {tuple(x) for x in middles.round(6).tolist()} == set(drawn)
    scale = abs(along).max() / largest
    for middle, arrow in zip(middles.round(6).tolist(), along, strict=True):
        assert arrow == pytest.approx(scale * drawn[tuple(middle)], abs=1e-12)


def test_places_are_told_in_the_unit_that_is_shown():
    data = lattice()
    figure, natural, _ = arrows(data)
    assert [figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()] == ["x ($a$)", "y ($a$)"]
    figure, places, _ = arrows(in_units(data, Units(t="1 eV", a="0.5 nm")))
    assert figure.axes[0].get_xlabel() == r"x ($\mathrm{nm}$)"
    np.testing.assert_allclose(places, 0.5 * natural)


def test_the_longest_arrow_is_told_in_the_unit_that_is_shown():
    figure, *_ = arrows(lattice(), display_unit="t/h")
    flow = drawn_of(lattice(), SPECIFICATION)
    assert f"longest arrow: {2 * np.pi * abs(flow.currents).max():.3g}" in words_of(figure)


def test_colours_are_the_sum_over_the_orbitals_of_a_site():
    flow, data = drawn_of(lattice(), SPECIFICATION), lattice().sel(mu=0.5)
    assert flow.filling == pytest.approx(data["occupation"].values.reshape(-1, 2).sum(axis=1))
    assert len(flow.places) == 15


def test_what_is_within_its_error_is_no_arrow():
    figure, middles, _ = arrows(lattice(), sel={"mu": 0})
    assert len(middles) == 0
    assert "no current beyond its numerical error" in words_of(figure)


def test_a_chain_has_no_axis_across():
    figure, middles, _ = arrows(lattice(columns=4, rows=1))
    assert len(middles)
    assert not figure.axes[0].get_yticks().size


def test_of_a_chain_sites_are_where_their_number_says():
    """No places and no ends of bonds are stored: bond l goes from site l to the next."""
    data = lattice(columns=4, rows=1).isel(site=slice(0, None, 2), bond=slice(0, 3))
    data = data.drop_vars(["x", "y", "site_number", "bond_site", "bond_site_2"])
    data = data.assign_coords(site=data["site"].copy(data=np.arange(1.0, 5.0)))
    flow = drawn_of(data, SPECIFICATION)
    assert flow.places.tolist() == [[1, 0], [2, 0], [3, 0], [4, 0]]
    assert flow.ends.tolist() == [[0, 1], [1, 2], [2, 3]]


def test_bonds_that_are_others_elsewhere_have_no_map():
    data = lattice().drop_vars(["bond_site", "bond_site_2"])
    with pytest.raises(FigureError, match="make it a study for each"):
        arrows(data)


def test_a_lattice_in_space_has_no_map():
    data = lattice()
    with pytest.raises(FigureError, match="in a plane"):
        arrows(data.assign_coords(z=data["x"].variable))


def test_a_failed_point_has_the_lattice_and_says_that_nothing_is_known():
    data = lattice()
    data["status"].values[:] = 2
    data["message"] = ("mu", ["", "no convergence"])
    figure, middles, _ = arrows(data)
    assert len(middles) == 0
    assert "no values: the point failed:" in words_of(figure)
    figure, *_ = arrows(data, z=None)
    assert "failed: no convergence" in " ".join(words_of(figure).split())


OCCUPATIONS = {"plot": "site-map", "z": "occupation", "name": "sites"}


def discs(data, **changes):
    """Places of the discs of a map of sites, what their colours are by, and the figure."""
    spec = SPEC.validate_python(OCCUPATIONS | {"sel": {"mu": 0.5}} | changes)
    figure = draw(spec, {"own": data}, "own")
    (found,) = [x for x in figure.axes[0].collections if isinstance(x, EllipseCollection)]
    return found.get_offsets(), found.get_array().filled(np.nan), figure


def test_a_disc_has_the_sum_over_the_orbitals_of_its_site():
    data = lattice()
    places, values, figure = discs(data)
    here = data["occupation"].sel(mu=0.5).values
    assert places.tolist() == np.unique(np.stack([data["x"], data["y"]], 1), axis=0).tolist()
    assert values == pytest.approx(here.reshape(-1, 2).sum(axis=1))
    assert figure.axes[1].get_ylabel() == "occupation"


def test_what_stands_beside_sites_selects_them():
    """One orbital, one row, and both: as many sites as have all that is chosen."""
    data, here = lattice(), lattice()["occupation"].sel(mu=0.5).values.reshape(5, 3, 2)
    _, values, _ = discs(data, sel={"mu": 0.5, "orbital": 2})
    assert values == pytest.approx(here[:, :, 1].ravel())
    places, values, _ = discs(data, sel={"mu": 0.5, "y": [3, 1], "orbital": 1})
    assert set(places[:, 1]) == {1, 3}
    assert values == pytest.approx(here[:, [0, 2], 0].ravel())
    x, y = along(data, "x", "occupation", {"mu": 0.5, "y": 2, "orbital": 2})
    assert x.values.tolist() == [1, 2, 3, 4, 5]
    assert y.values == pytest.approx(here[:, 1, 1])
    with pytest.raises(FigureError, match="; it has 1, 2"):
        discs(data, sel={"mu": 0.5, "orbital": 3})
    with pytest.raises(FigureError, match="no site has all that is chosen"):
        discs(data, sel={"mu": 0.5, "site": 1, "orbital": 2})
    with pytest.raises(FigureError, match="did you mean 'orbital'"):
        discs(data, sel={"mu": 0.5, "orbitals": 1})


def test_numbers_of_both_signs_have_colours_that_diverge_from_zero():
    data = lattice()
    data["occupation"] = data["occupation"] - 0.25
    figure = discs(data, sel={"mu": 0.5})[2]
    (found,) = [x for x in figure.axes[0].collections if isinstance(x, EllipseCollection)]
    assert found.cmap.name == "RdBu_r"
    assert found.norm(0.0) == pytest.approx(0.5)


def test_what_differs_by_its_error_alone_has_one_colour():
    data = lattice()
    noise = 1e-6 * np.random.default_rng(0).normal(size=data["occupation"].shape)
    data["occupation"] = data["occupation"].copy(data=0.5 + noise)
    data["occupation_error"] = data["occupation"].copy(data=0 * noise + 1e-5)
    figure = discs(data)[2]
    (found,) = [x for x in figure.axes[0].collections if isinstance(x, EllipseCollection)]
    assert np.ptp(found.norm(found.get_array())) < 1e-4


def test_one_sample_has_its_own_error_not_that_of_the_mean():
    data = lattice()
    value = data["occupation"]
    data = data.assign(
        occupation=value.expand_dims(sample=2).copy(),
        occupation_mean=value,
        occupation_sem=value + 10,
    )
    _, values, _ = discs(data, sel={"mu": 0.5, "sample": 1})
    assert values.min() > 0
    _, values, _ = discs(data, sel={"mu": 0.5})
    assert values.max() == 0  # within the error of the mean


def test_sites_that_no_bonds_are_stored_of_are_discs_alone():
    data = lattice().drop_dims("bond")
    _, _, figure = discs(data)
    (lines,) = [x for x in figure.axes[0].collections if isinstance(x, LineCollection)]
    assert not lines.get_segments()


def test_a_value_that_is_not_known_has_the_colour_of_none():
    data = lattice()
    data["occupation"].values[:, 4] = np.nan
    _, values, _ = discs(data)
    assert np.flatnonzero(np.isnan(values)).tolist() == [2]


def test_spins_have_places_of_their_own():
    data = lattice()
    sites = (
        data["occupation"]
        .isel(site=slice(0, None, 2))
        .drop_vars(["x", "y", "site_number", "orbital"])
    )
    spins = sites.rename(site="spin_site").assign_coords(spin_site=np.arange(1, 16))
    beside = {f"spin_site_{name}": ("spin_site", data[name].values[::2]) for name in ("x", "y")}
    data = data.assign(spin=spins).assign_coords(beside)
    places, values, _ = discs(data, z="spin")
    assert places[:, 1].max() == 3
    assert values == pytest.approx(data["occupation"].sel(mu=0.5).values[::2])


def test_sites_that_are_elsewhere_at_other_points_have_no_map():
    data = lattice().drop_vars(["x", "y"])
    data["site"].attrs["differing"] = "x y"
    with pytest.raises(FigureError, match="make it a study for each"):
        discs(data)


STUDY = """\
title: A ring
study: steady-current
system:
  lattice: {kind: ring, sites: 6, flux: $flux}
  leads:
    left:  {kind: wide-band, broadening: 1, chemical_potential: 0.2, temperature: 0.2}
    right: {kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.2}
observables: [OBSERVABLES]
axes:
  flux: {inner: [0, 0.4]}
figures:
  - {name: flow, PLOT}
"""


@pytest.mark.parametrize(
    ("observables", "plot", "expected"),
    [
        ("bond-currents", "sel: {flux: 0}", ""),
        ("bond-currents, density", "z: occupation, sel: {flux: 0}", ""),
        ("density", "sel: {flux: 0}", "observables are bond-currents too"),
        ("bond-currents", "z: occupation, sel: {flux: 0}", "z = occupation: expected"),
        ("bond-currents", "width: single", "expected a value of flux in sel"),
        ("bond-currents", "z: inflows, sel: {flux: 0}", "did you mean 'inflow'"),
        ("bond-currents", "display_unit: t^2/h, sel: {flux: 0}", "display_unit"),
        ("bond-currents", "sel: {flux: 0, y: 1}", "sel.y"),
        ("density", "plot: site-map, z: occupation, sel: {flux: 0}", ""),
        ("density", "plot: site-map, z: occupation", "expected a value of flux in sel"),
        ("density", "plot: site-map, z: flux", "expected a variable with the dimension site"),
        ("density", "plot: site-map, z: occupation, sel: {flux: 0, site: 7}", "sel.site"),
        ("density", "plot: site-map, sel: {flux: 0}", "expected a value (variable of sites)"),
    ],
)
def test_what_a_map_needs_is_said_before_a_run(tmp_path, observables, plot, expected):
    path = tmp_path / "ring.yaml"
    plot = plot if "site-map" in plot else f"plot: current-map, {plot}"
    path.write_text(STUDY.replace("OBSERVABLES", observables).replace("PLOT", plot))
    try:
        study = load_study(path, figure_specs=SPEC)
        found = [str(x) for x in figure_problems(study, {study.name: layout_of(study)})]
    except ConfigError as error:
        found = [str(error)]
    assert bool(found) == bool(expected)
    assert not expected or any(expected in text for text in found), found

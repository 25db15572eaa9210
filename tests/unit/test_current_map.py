"""Maps of currents: what is an arrow, what is one site, and what is refused."""

import numpy as np
import pytest
from matplotlib.quiver import Quiver
from test_figures import MAP_OF_CURRENTS, lattice, words_of

from nessflow.config.project import load_study
from nessflow.errors import ConfigError
from nessflow.figures.current_map import flow_of
from nessflow.figures.plots import draw
from nessflow.figures.specs import SPEC
from nessflow.figures.units import FigureError
from nessflow.verbs.figure_checks import figure_problems, layout_of

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


def test_the_longest_arrow_is_told_in_the_unit_that_is_shown():
    figure, *_ = arrows(lattice(), display_unit="t/h")
    flow = flow_of(lattice(), SPECIFICATION)
    assert f"longest arrow: {2 * np.pi * abs(flow.currents).max():.3g}" in words_of(figure)


def test_colours_are_the_sum_over_the_orbitals_of_a_site():
    flow, data = flow_of(lattice(), SPECIFICATION), lattice().sel(mu=0.5)
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
    flow = flow_of(data, SPECIFICATION)
    assert flow.places.tolist() == [[1, 0], [2, 0], [3, 0], [4, 0]]
    assert flow.ends.tolist() == [[0, 1], [1, 2], [2, 3]]


def test_bonds_that_are_others_elsewhere_have_no_map():
    data = lattice().drop_vars(["bond_site", "bond_site_2"])
    with pytest.raises(FigureError, match="make it a study for each"):
        arrows(data)


def test_a_lattice_in_space_has_no_map():
    data = lattice()
    with pytest.raises(FigureError, match="lattice in a plane"):
        arrows(data.assign_coords(z=data["x"].variable))


def test_a_failed_point_has_no_map():
    data = lattice()
    data["status"].values[:] = 2
    with pytest.raises(FigureError, match="the point failed"):
        arrows(data)


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
  - {name: flow, plot: current-map, PLOT}
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
    ],
)
def test_what_a_map_needs_is_said_before_a_run(tmp_path, observables, plot, expected):
    path = tmp_path / "ring.yaml"
    path.write_text(STUDY.replace("OBSERVABLES", observables).replace("PLOT", plot))
    try:
        study = load_study(path, figure_specs=SPEC)
        found = [str(x) for x in figure_problems(study, {study.name: layout_of(study)})]
    except ConfigError as error:
        found = [str(error)]
    assert bool(found) == bool(expected)
    assert not expected or any(expected in text for text in found), found

"""Each law of `nessflow.testing` can fail: parts that are wrong in one way each."""

import itertools
from types import ModuleType
from typing import ClassVar, Literal

import numpy as np
import pytest
from pydantic import model_validator

from nessflow.observables.observable import Observable
from nessflow.outcome import PROBABILITY, Coordinate, Outcome, Variable, with_errors
from nessflow.parts import Strict, quantity
from nessflow.spectrum.rates import Observable as Integrals
from nessflow.systems.channels.channel import Channels
from nessflow.systems.disorder.disorder import Additive
from nessflow.systems.lattices.crystals.square import Square
from nessflow.systems.lattices.lattice import Bonds, Continuation, Graph, Lattice
from nessflow.systems.leads.lorentzian import Lorentzian
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.leads.semi_infinite_ssh import SemiInfiniteSSH
from nessflow.systems.leads.unit_cell import UnitCell
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.shapes.shape import TOUCHING, Shape
from nessflow.testing import (
    SYSTEMS,
    check_channels,
    check_disorder,
    check_kind,
    check_lattice,
    check_lead,
    check_observable,
    check_shape,
)


def changed(part, /, doc="A part.", **names):
    """A class that differs from another in the names given."""
    result = type(part.__name__, (part,), {"__doc__": doc, "__module__": __name__})
    for name, value in names.items():
        setattr(result, name, value)
    return result


def fails(check, law, *arguments):
    with pytest.raises(AssertionError) as raised:
        check(*arguments)
    assert law in str(raised.value), raised.value


# --- leads ----------------------------------------------------------------------------------------

Chain = SemiInfiniteChain
sigma = SemiInfiniteChain.regular_self_energy


def cancelling(self, w):
    """The self-energy of a chain as a difference of large numbers."""
    x = np.asarray(w) / 2
    return np.where(
        abs(x) > 50, x - np.copysign(np.sqrt(np.maximum(x * x - 1, 0)), x), sigma(self, w)
    )


def for_many(self, w):
    """Rougher for many energies at a time."""
    return sigma(self, w) * (1.01 if np.size(w) > 100 else 1)


class Unexplained(SemiInfiniteChain):
    """A lead with a key that says nothing of what it means."""

    kind: Literal["unexplained"] = "unexplained"
    more: float = 1.0


class Halving(SemiInfiniteChain):
    """A lead whose values change whenever they are read."""

    kind: Literal["halving"] = "halving"

    @model_validator(mode="after")
    def _halved(self):
        object.__setattr__(self, "coupling", self.coupling / 2)
        return self


class Hidden(Lorentzian):
    """A narrow level that is no pole."""

    poles: ClassVar = ()
    half_width: float = quantity("half width", "t", 1e-3)

    def regular_self_energy(self, energies):
        """Return all of it."""
        return self.coupling**2 / (np.asarray(energies) - self.onsite + 1j * self.half_width)


def of_cells(rounded):
    """A lead of cells that is rounded in another way."""
    cells = {"cell": ((0.1, -0.6), (-0.6, 0.2)), "hopping": ((0, 0), (-1.1, 0.2))}
    return changed(UnitCell, rounded=rounded)(**cells, coupling=((0.5, 0.1),))


LEADS = {
    "its docstring": changed(Chain, doc="")(),
    "`kind` is the default": Chain().model_copy(update={"kind": "other"}),
    "each key says what it means: found none for more": Unexplained(),
    "means the same part": Halving(),
    "it has a band": changed(Chain, bands=(), reference_energy=0.0, edges=())(),
    "its bands ascend": changed(Chain, bands=((0.0, 2.0), (-2.0, 0.0)))(),
    "reference energy is in a band": changed(Chain, reference_energy=3.0)(),
    "`coupling` is what couples it": Chain(coupling=0.0),
    "without `coupling` it does nothing": changed(
        Chain, regular_self_energy=lambda self, w: sigma(Chain(), w)
    )(),
    "each energy is by itself": changed(
        Chain, regular_self_energy=lambda self, w: sigma(self, w) * (1 + 1e-9 * np.size(w))
    )(),
    "Gamma = -2 Im Sigma": changed(Chain, broadening_at=lambda self, w: -sigma(self, w).imag)(),
    "Gamma > 0 within its bands, at -1.999996": changed(
        Chain, regular_self_energy=lambda self, w: sigma(self, w).conj()
    )(),
    "Gamma > 0 within its bands, at -2.999994": changed(Chain, bands=((-3.0, 3.0),))(),
    "Gamma is 0 outside its bands": changed(Chain, bands=((-1.0, 1.0),))(),
    "Gamma is 0 outside its bands at": changed(
        Chain, regular_self_energy=lambda self, w: sigma(self, w) - 1e-14j * self.coupling
    )(),
    "Sigma at the edges of its bands is no NaN: found [-2.": changed(
        Chain, regular_self_energy=lambda self, w: np.where(abs(w) == 2, np.nan, sigma(self, w))
    )(),
    "Kramers-Kronig": changed(
        Chain, regular_self_energy=lambda self, w: sigma(self, w) + 1e-3 * self.coupling
    )(),
    "Kramers-Kronig) at": changed(
        SemiInfiniteSSH,
        regular_self_energy=lambda self, w: SemiInfiniteSSH(intracell=0.5).self_energy(w),
        poles=(),
        self_energy=lambda self, w: self.coupling * self.regular_self_energy(w),
    )(intracell=0.5),
    "far away Sigma falls": changed(Chain, regular_self_energy=cancelling)(),
    "Sigma, Sigma', Sigma''": changed(
        Chain,
        regular_derivatives=lambda self, w: Chain.regular_derivatives(self, w) * [1, 1 + 1e-6, 1],
    )(),
    "`regular_self_energy` is smooth": Hidden(),
    "below the real line": changed(WideBand, poles=((1j, 0.3),))(broadening=1.0),
    "residues of its poles are positive": changed(WideBand, poles=((-1j, -0.3),))(broadening=1.0),
    "on the real line is in no band": changed(WideBand, poles=((0.5, 0.3),))(broadening=1.0),
    "amplitudes on 3 sites": changed(
        Chain, channels=lambda self, sites: ((np.ones(1), self),) * sites
    )(),
    "a channel is a lead": changed(Chain, channels=lambda self, sites: ((np.ones(sites), None),))(),
    "on 1 sites i (Sigma - Sigma^+) = V V^+": changed(
        Chain,
        self_energy_matrix=lambda self, w, sites: sigma(self, w)[:, None, None] * np.eye(sites) / 2,
    )(),
    "as many columns of V as open channels": changed(
        Chain,
        channel_amplitudes=lambda self, w, sites: np.concatenate(
            [x := Chain.channel_amplitudes(self, w, sites) / np.sqrt(2), x], axis=-1
        ),
    )(),
    "`rounded` is another lead for each number": of_cells(
        lambda self, distance, number: UnitCell.rounded(self, distance, 0)
    ),
    "`rounded` moves bands by twice the distance at most, number 0": of_cells(
        lambda self, distance, number: UnitCell.rounded(self, 10 * distance, number)
    ),
    "`rounded` changes what a level between two transmits by no more, number 1": of_cells(
        lambda self, distance, number: self.model_copy(
            update={"coupling": ((0.5, 0.1 + 100 * number * distance),)}
        )
    ),
    "Landauer's integral": changed(Chain, regular_self_energy=for_many)(),
}


@pytest.mark.parametrize("law", LEADS)
def test_a_wrong_lead_is_found(law):
    fails(check_lead, law, LEADS[law])


def test_a_lead_says_which_it_is_and_where():
    lead = changed(Chain, bands=((-3.0, 3.0),))(coupling=0.5)
    with pytest.raises(AssertionError) as raised:
        check_lead(lead)
    law = "Gamma > 0 within its bands, at -2.999994: found 0.0"
    assert str(raised.value) == f"SemiInfiniteChain(coupling=0.5): {law}"


# --- lattices -------------------------------------------------------------------------------------


class Line(Graph):
    """A chain."""

    kind: Literal["line"] = "line"
    sites: int = quantity("number of sites", "1", 4)

    @property
    def bonds(self):
        """Bonds to the next site."""
        first = np.arange(self.sites - 1)
        return Bonds(first, first + 1, np.full(first.shape, 0.5))


COUNT = itertools.count()


def bonds(*pairs):
    first, second = np.array(pairs).T
    return property(lambda _: Bonds(first, second, np.full(first.shape, 0.5)))


def goes_on(*parts):
    """Lattice that goes on to the left, in a wrong way."""
    found = Continuation(*map(np.array, parts))
    return changed(Line, sides=("left",), continuation=lambda self, side: found)


H = Line().hamiltonian()
LATTICES = {
    "its Hamiltonian is Hermitian": changed(
        Line, hamiltonian=lambda self, disorder=0: np.triu(np.ones((4, 4)))
    ),
    "h has all `sites`": changed(Line, hamiltonian=lambda self, disorder=0: np.eye(3)),
    "h is the same twice": changed(
        Line, hamiltonian=lambda self, disorder=0: Tridiagonal(np.full(4, next(COUNT)), -0.5)
    ),
    "disorder is added": changed(Line, hamiltonian=lambda self, disorder=0: H),
    "its two contacts are sites": changed(Line, contacts=(0, 3)),
    "bonds are between sites, from 0": changed(
        Line, bonds=bonds((1, 2), (2, 3), (3, 4)), hamiltonian=lambda _, d=0: Line().hamiltonian(d)
    ),
    "from a site to itself": changed(Line, bonds=bonds((0, 0), (1, 2))),
    "is there twice": changed(
        Line, bonds=bonds((0, 1), (1, 0)), hamiltonian=lambda _, d=0: Line().hamiltonian(d)
    ),
    "all there is beside the diagonal at 2, 3": changed(
        Line, bonds=bonds((0, 1), (1, 2)), hamiltonian=lambda _, d=0: Line().hamiltonian(d)
    ),
    "no site behind the last": changed(Line, require_site=lambda *_, **__: None),
    "no two sites are at one place": changed(Line, positions=np.zeros((4, 1))),
    "`positions` has a row for each site": changed(Line, positions=np.zeros((3, 1))),
    "there is an orbital for each of its rows": goes_on([0], [[0]], [[-0.5, 0]], [[-0.5]]),
    "cells are Hermitian": goes_on([0], [[1j]], [[-0.5]], [[-0.5]]),
    "cells are coupled within": goes_on([0, 1], [[0, 1], [1, 0]], np.eye(2), np.eye(2)),
    "the first cell is coupled as the next ones": goes_on([0], [[0]], [[-0.5]], [[-0.4]]),
}


def test_a_right_lattice_is_fine():
    check_lattice(Line())
    fails(check_lattice, "a part of its family", Chain())


@pytest.mark.parametrize("law", LATTICES)
def test_a_wrong_lattice_is_found(law):
    fails(check_lattice, law, LATTICES[law]())


# --- shapes ---------------------------------------------------------------------------------------


class Diamond(Shape):
    """Square on its corner."""

    kind: Literal["diamond"] = "diamond"
    size: float = quantity("half of its diagonal", "a", 3.0)

    @property
    def box(self):
        """Its corners."""
        return (-self.size, self.size), (-self.size, self.size)

    def contains(self, x, y):
        """Return whether points are inside."""
        return abs(x) + abs(y) <= self.size + TOUCHING


SHAPES = {
    "`box` is lowest and highest": {"box": ((3, -3), (-3, 3))},
    "`contains` tells of each point": {"contains": lambda self, x, y: abs(x)},
    "some point is inside": {"contains": lambda self, x, y: x > 1e9},
    "x of what is inside is in its box": {"contains": lambda self, x, y: abs(y) < 3},
    "each point is by itself": {
        "contains": lambda self, x, y: (abs(x) + abs(y) < 3) & (len(x) > 1)
    },
}


def test_a_right_shape_is_fine():
    check_shape(Diamond())
    assert Square(shape=Diamond(), kind="square").sites == 25


@pytest.mark.parametrize("law", SHAPES)
def test_a_wrong_shape_is_found(law):
    fails(check_shape, law, changed(Diamond, **SHAPES[law])())


# --- loss, gain and disorder ----------------------------------------------------------------------


class Pairs(Channels):
    """Loss on pairs of neighbours."""

    kind: Literal["pairs"] = "pairs"
    rate: float = quantity("rate", "t/hbar", 0.1)

    def matrix(self, lattice: Lattice):
        """Return the matrix."""
        return Tridiagonal(np.full(lattice.sites, 2 * self.rate), np.full(lattice.sites - 1, 0.1j))


CHANNELS = {
    "its matrix is Hermitian": lambda self, lattice: np.triu(np.ones((lattice.sites,) * 2)),
    "P has all sites": lambda self, lattice: np.eye(2),
    "P is the same twice": lambda self, lattice: Tridiagonal(np.full(lattice.sites, next(COUNT))),
    "P has no negative eigenvalue": lambda self, lattice: -np.eye(lattice.sites),
}


def test_right_channels_are_fine():
    check_channels(Pairs())
    check_channels(Pairs(), Line())


@pytest.mark.parametrize("law", CHANNELS)
def test_wrong_channels_are_found(law):
    fails(check_channels, law, changed(Pairs, matrix=CHANNELS[law])())


class Normal(Additive):
    """Energies of a normal distribution."""

    kind: Literal["normal"] = "normal"
    deviation: float = quantity("standard deviation", "t", 0.3)

    def draw(self, positions, rng):
        """Return the energies."""
        return self.deviation * rng.normal(size=len(positions))


class Unscaled(Additive):
    """Energies of a fixed width."""

    kind: Literal["unscaled"] = "unscaled"

    def draw(self, positions, rng):
        """Return the energies."""
        return rng.normal(size=len(positions))


DISORDER = {
    "one number for each place": lambda self, at, rng: rng.normal(size=(len(at), 1)),
    "numbers are finite and real": lambda self, at, rng: 1j * rng.normal(size=len(at)),
    "the same stream gives the same": lambda _, at, __: np.random.default_rng().normal(
        size=len(at)
    ),
    "another stream gives other": lambda self, at, rng: np.full(len(at), self.deviation),
    "drawn place by place": lambda self, at, rng: rng.normal(size=len(at))[::-1],
    "numbers are drawn, then scaled": lambda self, at, rng: (
        np.sin(self.deviation) * rng.normal(size=len(at))
    ),
}


@pytest.mark.parametrize("law", DISORDER)
def test_wrong_disorder_is_found(law):
    check_disorder(Normal())
    fails(check_disorder, law, changed(Normal, draw=DISORDER[law])())
    fails(check_disorder, "a key in units of t", Unscaled())


# --- observables ----------------------------------------------------------------------------------

ONE = {"wire": SYSTEMS["wire"]}


class Filling(Observable):
    """A number of each site."""

    name = "filling"
    variables = with_errors({"filling": Variable(("site",), "1", "filling", PROBABILITY)})

    def evaluate(self, system, *needed):
        """Return a constant."""
        return self.found(system)

    def found(self, system):
        return {"filling": (np.full(system.sites, 0.5), np.zeros(system.sites), "")}


def found(value, error=0.0, reason=""):
    """An evaluation that gives these on all sites, numbers or functions of none."""

    def of(self, system):
        one = value() if callable(value) else value
        return {"filling": (np.full(system.sites, one), np.full(system.sites, error), reason)}

    return of


def among_others(self, system):
    """A number that knows how many evaluations there were, as one that shares a mesh would."""
    return found(0.1 if next(COUNT) % 3 else 0.2)(self, system)


OBSERVABLES = {
    "its docstring says": changed(Filling, doc=""),
    "filling is a Variable": changed(Filling, variables={"filling": 3}),
    "filling has a long name": changed(Filling, variables={"filling": Variable((), "1", "")}),
    "count_error is the error of a variable": changed(
        Filling, variables={"count_error": Variable((), "1", "error")}
    ),
    "filling_error has the dimensions of filling": changed(
        Filling,
        variables={
            "filling": Variable(("site",), "1", "filling"),
            "filling_error": Variable((), "1", "error"),
        },
    ),
    "are the dimensions of its variables": changed(
        Filling, coordinates=lambda _: {"energy": Coordinate(np.zeros(3), "t", "energy")}
    ),
    "values have the dimensions told": changed(
        Filling, found=lambda _, system: {"filling": (np.zeros(2), np.zeros(2), "")}
    ),
    "no reason given: filling": changed(Filling, found=found(np.nan, np.nan)),
    "filling has a reason because": changed(Filling, found=found(0.5, 0.0, "unknown")),
    "SUSPECT: filling[1] = 2 +- 0.0e+00 is outside": changed(Filling, found=found(2.0)),
    "negative error": changed(Filling, found=found(0.5, -0.1)),
    "an error where it has a value": changed(Filling, found=found(np.nan, 0.1, "unknown")),
    "the reason of other": changed(
        Filling,
        found=lambda self, system: found(0.5)(self, system) | {"other": (0.0, 0.0, "unknown")},
    ),
    "its limits are those of variables": changed(Filling, limits=lambda *_: {"other": PROBABILITY}),
    "the same bits twice: filling": changed(Filling, found=found(np.random.default_rng(1).random)),
}


@pytest.mark.parametrize("law", OBSERVABLES)
def test_a_wrong_observable_is_found(law):
    fails(check_observable, law, OBSERVABLES[law], ONE)


def test_an_observable_that_knows_of_others_is_found():
    check_observable(Filling)
    # Twice alone, another sample, twice as samples, once beside others.
    numbers = iter([0.1] * 5 + [0.2])
    wrong = changed(Filling, found=found(lambda: next(numbers)))
    fails(check_observable, "do not depend on what else is asked for: filling", wrong, ONE)
    reasons = iter(["a"] * 5 + ["b"])
    wrong = changed(Filling, found=lambda *x: found(np.nan, np.nan, next(reasons))(*x))
    fails(check_observable, "asked for: reasons", wrong, ONE)


LAST = []


class Level(Observable):
    """A number of one system that is kept for all."""

    name = "level"
    variables = with_errors({"level": Variable((), "1", "level")})

    def integrand(self, system):
        """Return an integral that takes what it knows of a system from another place."""
        LAST[:] = [system.hamiltonian.diagonal[0]]
        return Integrals(self.of, lambda found: {"level": (found.value[0], found.error[0], "")})

    @staticmethod
    def of(rates):
        """Return a transmission times the level of the system that came last."""
        flow = LAST[0] * rates.leads[0, 1] * rates.difference[0, 1]
        return flow[None], abs(flow)[None]


def test_an_observable_that_takes_samples_for_each_other_is_found():
    check_observable(Level, ONE)
    law = "evaluated together are as alone: level"
    fails(check_observable, law, Level, {"disorder": SYSTEMS["disorder"]})


def test_a_name_that_is_not_there_is_told_with_those_that_are():
    for check, known in ((check_observable, "noise"), (check_kind, "probes")):
        with pytest.raises(AssertionError, match=f"nois: no such name; there are .*{known}"):
            check("nois")


def test_a_variable_without_an_estimate_is_named():
    two = Filling.variables | {"two": Variable((), "1", "a second one")}
    with pytest.raises(ValueError, match="filling has no estimate of two"):
        check_observable(changed(Filling, variables=two), ONE)


# --- kinds ----------------------------------------------------------------------------------------


class Parameters(Strict):
    """An energy."""

    energy: float = quantity("an energy", "t")


def kind(**changes):
    """A small kind of study with some of its names changed; None takes one away."""
    names = {
        "__doc__": "Square of an energy.",
        "Parameters": Parameters,
        "VARIABLES": {"square": Variable(("lead",), "t^2", "square", PROBABILITY)},
        "CONVENTIONS": (),
        "coordinates": lambda _: {"lead": Coordinate(np.array(["left"]), "1", "lead")},
        "is_random": lambda _: False,
        "evaluate": lambda x, _: Outcome({"square": np.array([x.energy**2])}),
        "evaluate_many": lambda many, rngs: [
            Outcome({"square": np.array([x.energy**2])}) for x in many
        ],
        "__file__": __file__,
    }
    module = ModuleType("my_kind")
    vars(module).update({k: v for k, v in (names | changes).items() if v is not None})
    return module


def outcome(value, **more):
    return lambda *_: Outcome({"square": np.array([value])}, **more)


KINDS = {
    "it says all that a kind has to: found no VARIABLES, evaluate": {
        "VARIABLES": None,
        "evaluate": None,
    },
    "its docstring says": {"__doc__": ""},
    "CONVENTIONS are lines of text": {"CONVENTIONS": (3,)},
    "square has a long name": {"VARIABLES": {"square": Variable((), "1", "")}},
    "its coordinates are the dimensions": {"coordinates": lambda _: {}},
    "lead is a Coordinate": {"coordinates": lambda _: {"lead": np.array(["left"])}},
    "its values are its variables": {"evaluate": lambda *_: Outcome({"cube": np.zeros(1)})},
    "no reason given: square": {"evaluate": outcome(np.nan)},
    "square has a reason because": {"evaluate": outcome(0.5, notes={"square": "unknown"})},
    "the reason of cube is": {"evaluate": outcome(0.5, notes={"cube": "unknown"})},
    "outside [0, 1]": {"evaluate": outcome(2.0)},
    "its limits are those of": {"evaluate": outcome(0.5, limits={"cube": PROBABILITY})},
    "the same bits twice: square": {
        "evaluate": lambda *_: outcome(np.random.default_rng().random())()
    },
    "evaluate_many has an outcome for each": {"evaluate_many": lambda *_: []},
    "evaluate_many gives what evaluate gives: square": {
        "evaluate_many": lambda many, rngs: [outcome(0.25 * (1 + 1e-15))() for _ in many]
    },
    "evaluate_many gives what evaluate gives: reasons": {
        "evaluate": outcome(np.nan, notes={"square": "unknown"}),
        "evaluate_many": lambda many, rngs: [outcome(np.nan)() for _ in many],
    },
}


@pytest.mark.parametrize("law", KINDS)
def test_a_wrong_kind_is_found(law):
    fails(check_kind, law, kind(**KINDS[law]), {"energy": 0.5})


def test_a_kind_is_tried_with_parameters_or_its_example():
    check_kind(kind(), {"energy": 0.5})
    check_kind(kind(), Parameters(energy=0.5))
    fails(check_kind, "it has an example, or parameters are given: found no ", kind())
    check_kind("transmission")

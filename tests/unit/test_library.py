"""The library gives what studies store, in their words, and is typed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import nessflow as nf
from nessflow.observables.local_density_of_states import LocalDensityOfStates
from nessflow.validation import InvalidValues

ROOT = Path(__file__).resolve().parents[2]
KINDS = ROOT / "src" / "nessflow" / "kinds" / "examples"


def wire(**changes):
    parts = {
        "lattice": nf.lattices.Chain(sites=8),
        "loss": nf.channels.Onsite(rate=0.02),
        "leads": {
            "left": nf.leads.WideBand(broadening=1.1, chemical_potential=0.3, temperature=0.05),
            "right": nf.leads.WideBand(broadening=0.9, chemical_potential=-0.3, temperature=0.1),
        },
    }
    return nf.System(**(parts | changes))


def test_all_of_the_library_is_there():
    for name in nf.__all__:
        assert getattr(nf, name) is not None
        assert name in dir(nf)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nf.nothing  # noqa: B018


def test_parts_are_attributes_of_their_family():
    assert {"Chain", "Ring", "Strip"} <= set(dir(nf.lattices))
    assert {"WideBand", "SemiInfiniteChain"} <= set(dir(nf.leads))
    assert {"Onsite", "Vectors"} <= set(dir(nf.channels))
    assert "Uniform" in dir(nf.disorder)
    with pytest.raises(AttributeError, match=r"there is no Chian; there are .*Chain"):
        nf.lattices.Chian  # noqa: B018


def test_a_point_is_what_a_study_of_it_stores():
    """Also when the same is written as in a study file."""
    written = {
        "lattice": {"kind": "chain", "sites": 8},
        "loss": {"kind": "onsite", "rate": 0.02},
        "leads": {
            name: {"kind": "wide-band", "broadening": g, "chemical_potential": mu, "temperature": t}
            for name, g, mu, t in (("left", 1.1, 0.3, 0.05), ("right", 0.9, -0.3, 0.1))
        },
    }
    data, again = nf.solve(wire()), nf.point("steady-current", system=written)
    xr.testing.assert_identical(data, again)
    assert data.attrs == {"status": "ok", "message": ""}
    for variable in data.data_vars.values():
        assert {"units", "natural_units", "long_name"} <= variable.attrs.keys()


def test_observables_are_chosen_as_in_a_study():
    energies = {"start": -1, "stop": 1, "points": 5}
    data = nf.solve(wire(), ["noise", {"local-density-of-states": {"energies": energies}}])
    assert "particle_noise" in data
    assert "particle_current" not in data
    assert data["local_density_of_states"].dims == ("site", "energy")


def test_transmissions_at_any_energies_have_errors():
    found = nf.transmission(wire(), [0.3, -0.2])
    assert found.dims == ("terminal", "terminal_2", "energy")
    assert found["energy"].values.tolist() == [0.3, -0.2]
    between = found.sel(terminal="left", terminal_2="right")
    assert ((between > 0) & (between < 1)).all()
    assert (between["error"] < 1e-12).all()


def test_an_observable_may_be_an_instance():
    from nessflow.observables.bond_currents import BondCurrents

    data = nf.solve(wire(), [BondCurrents(), "density"])
    xr.testing.assert_identical(data, nf.solve(wire(), ["bond-currents", "density"]))
    assert data["bond_current"].size == 7


ENERGIES = {"energies": [0.1, 0.2]}
SPECTRUM = {"local-density-of-states": ENERGIES}


@pytest.mark.parametrize(
    "given",
    [SPECTRUM, [SPECTRUM], LocalDensityOfStates(**ENERGIES), (LocalDensityOfStates(**ENERGIES),)],
)
def test_one_observable_is_written_in_any_way(given):
    xr.testing.assert_identical(nf.solve(wire(), given), nf.solve(wire(), [SPECTRUM]))


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (SPECTRUM, "observables.1 = .*: local-density-of-states is listed twice"),
        ("nois", "observables.1 = nois: expected 'bond-currents'"),
        (3, "observables.1 = 3: expected 'bond-currents'"),
        (LocalDensityOfStates, "observables.1 = LocalDensityOfStates: expected 'bond-currents'"),
    ],
)
def test_what_is_wrong_beside_an_instance_is_told_in_its_place(last, message):
    with pytest.raises(InvalidValues, match=message) as raised:
        nf.solve(wire(), [LocalDensityOfStates(**ENERGIES), last])
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("number", [-1, 1.5, "a", True])
@pytest.mark.parametrize("name", ["sample", "seed"])
def test_samples_and_seeds_are_whole_numbers(name, number):
    with pytest.raises(ValueError, match=f"{name} = .*expected a whole number from 0"):
        nf.solve(wire(), "currents", **{name: number})


def test_a_part_says_that_it_cannot_be_changed():
    with pytest.raises(AttributeError, match="Chain cannot be changed; make another one"):
        nf.lattices.Chain(sites=3).sites = 4


def test_disorder_is_that_of_the_sample():
    system = wire(disorder=nf.disorder.Uniform(half_width=0.5))
    one, two, again = (nf.solve(system, ["currents"], sample=k) for k in (0, 1, 0))
    assert one.identical(again)
    assert one["net_particle_current"] != two["net_particle_current"]


def test_what_cannot_be_is_told_as_of_a_study_file():
    with pytest.raises(InvalidValues, match="did you mean 'currents'"):
        nf.solve(wire(), ["curents"])
    with pytest.raises(InvalidValues, match=r"temperature = -1: expected a number >= 0"):
        nf.leads.WideBand(broadening=1.0, chemical_potential=0.0, temperature=-1)


def test_a_point_that_is_not_ok_warns():
    lead = nf.leads.SemiInfiniteChain(chemical_potential=0.1, temperature=0.0)
    probe = {"kind": "wide-band", "broadening": 0.1, "temperature": 0.0, "sites": [3]}
    system = {
        "lattice": nf.lattices.Chain(sites=5),
        "leads": {"left": lead, "right": lead},
        "probes": {"source": probe | {"current": 2.0}},
    }
    with pytest.warns(UserWarning, match="not_converged: probe 'source 3' is to carry") as told:
        data = nf.point("probes", system=system)
    assert told[0].filename == __file__
    assert data.attrs["status"] == "not_converged"


def test_energies_are_a_grid_or_a_list():
    grid = {"start": -1, "stop": 1, "points": 3}
    listed = nf.point("transmission", system=wire(), energies=[-1, 0, 1])
    xr.testing.assert_identical(nf.point("transmission", system=wire(), energies=grid), listed)
    density = [
        nf.solve(wire(), [{"local-density-of-states": {"energies": energies}}])
        for energies in (grid, np.array([0.0, -1.0, 1.0]))
    ]
    xr.testing.assert_identical(density[0].isel(energy=[1, 0, 2]), density[1])
    with pytest.raises(InvalidValues, match=r"^transmission: energies.2 = 1.0: 1 is listed twice"):
        nf.transmission(wire(), [1, 0, 1])
    with pytest.raises(InvalidValues, match=r"energies = 1: expected a mapping .* or a list"):
        nf.point("transmission", system=wire(), energies=1)


def test_parts_are_shown_as_they_are_written():
    assert repr(nf.lattices.Chain(sites=50)) == "Chain(sites=50)"
    assert repr(nf.lattices.Chain(sites=50, hopping=0.5)) == "Chain(sites=50, hopping=0.5)"
    text = repr(wire())
    assert "loss=Onsite(rate=0.02)" in text
    assert "kind" not in text
    assert "None" not in text


def test_a_system_serves_all_kinds():
    data = nf.point("probes", system=wire())
    expected = nf.solve(wire(), "currents")
    np.testing.assert_allclose(
        data["particle_current"], expected["particle_current"].values, rtol=1e-9, atol=1e-15
    )
    with pytest.raises(InvalidValues, match=r"^linear-response: system\.leads\.right\."):
        nf.point("linear-response", system=wire())


def test_a_kind_that_is_misspelt_is_told():
    with pytest.raises(LookupError, match="no kind 'linear-respons'; did you mean 'linear-re"):
        nf.point("linear-respons", system=wire())
    with pytest.raises(LookupError, match=r"no kind 'x'; there are .*, steady-current"):
        nf.point("x")


def test_values_without_names_are_refused_in_words():
    with pytest.raises(TypeError, match=r"Chain takes its values by name: Chain\(.*sites=\.\.\."):
        nf.lattices.Chain(50)


def test_a_study_of_the_project():
    study = nf.study("two-site-transmission", ROOT)
    data = study.point()
    assert data.attrs["status"] == "ok"
    assert "transmission" in data
    assert repr(study) == "study('two-site-transmission')"


def test_numbers_as_text():
    text = nf.table(nf.solve(wire(), ["currents", "entropy-production"]))
    value = nf.solve(wire(), ["currents"])["net_particle_current"]
    assert f"net_particle_current = {float(value):.12g} +- " in text
    assert "entropy_production is undefined: " in text


def test_user_code_passes_a_strict_judge_of_types(tmp_path):
    path = tmp_path / "user.py"
    path.write_text(
        "import numpy as np\n"
        "import nessflow as nf\n"
        "from nessflow.kinds import probes, steady_current\n"
        "from nessflow.testing import check_kind\n"
        "\n"
        "check_kind(probes)\n"
        "check_kind(steady_current)\n"
        "\n"
        "\n"
        "def current(sites: int, bias: float) -> float:\n"
        "    def lead(mu: float) -> object:\n"
        "        return nf.leads.SemiInfiniteChain(chemical_potential=mu, temperature=0.05)\n"
        "\n"
        "    wire = nf.System(\n"
        "        lattice=nf.lattices.Chain(sites=sites),\n"
        '        leads={"left": lead(bias / 2), "right": lead(-bias / 2)},\n'
        "    )\n"
        '    data = nf.solve(wire, ["currents", "noise"])\n'
        "    print(nf.transmission(wire, np.linspace(-1, 1, 5)).mean())\n"
        '    return float(data["net_particle_current"])\n'
        "\n"
        "\n"
        "print(current(4, 0.2), nf.table(nf.study('x').point(bias=1.0)))\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_it_is_light():
    code = (
        "import sys, time; start = time.process_time(); import nessflow;"
        "heavy = {'numpy', 'scipy', 'xarray', 'pydantic', 'numba'} & set(sys.modules);"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_numbers_and_arrays_of_numpy_are_taken():
    chain = nf.lattices.Chain(sites=np.int64(3), onsite=np.array([0.1, 0.2, 0.3]))
    assert chain == nf.lattices.Chain(sites=3, onsite=(0.1, 0.2, 0.3))

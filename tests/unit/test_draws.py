"""A sample is one draw: at every bias, width, temperature and length, whatever the grid."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from nessflow.config.grid import Axis, Ensemble, generator, label_of
from nessflow.config.study import Study, template_json
from nessflow.kinds import steady_current, transmission
from nessflow.run.solve import solve_block
from nessflow.store.store import read_dataset
from nessflow.studies import systems
from nessflow.studies.draws import stream
from nessflow.studies.systems import System
from nessflow.systems.matrices import as_dense
from nessflow.verbs.point import evaluate_point

LEADS = {
    "left": {
        "kind": "wide-band",
        "broadening": 1.1,
        "chemical_potential": "$(0.1 + bias / 2)",
        "temperature": "$T",
    },
    "right": {
        "kind": "wide-band",
        "broadening": 1.1,
        "chemical_potential": "$(0.1 - bias / 2)",
        "temperature": "$T",
    },
}
SYSTEM = {
    "lattice": {"kind": "chain", "sites": "$N", "hopping": 1.0},
    "disorder": {"kind": "uniform", "half_width": "$V"},
    "loss": {"kind": "onsite", "rate": 0.1},
    "leads": LEADS,
}


def axis(name, *values, outer=False):
    return Axis(name, outer, tuple(label_of(value) for value in values), "t", name)


ONE = {"N": axis("N", 6), "V": axis("V", 0.5), "T": axis("T", 0.1), "bias": axis("bias", 0.0)}


def study_of(ensemble=Ensemble(6, 6, 1), template=SYSTEM, **axes) -> Study:  # noqa: B008
    values = ONE | axes
    ordered = tuple(values[name] for name in [*axes, *(name for name in ONE if name not in axes)])
    return Study(
        name="draws",
        title="Draws",
        reference={},
        notes="",
        kind_name="steady-current",
        kind=steady_current,
        template={"system": template},
        axes=ordered,
        ensemble=ensemble,
        fits=(),
        figures=(),
        path=Path("fake.yaml"),
        tier="paper",
        document=None,
    )


def disorder(ensemble=Ensemble(1, 1, 1), sample=0, sites=6, half_width=1.0, **labels):  # noqa: B008
    """The on-site energies of a point."""
    leads = {
        name: lead | {"chemical_potential": 0, "temperature": 0} for name, lead in LEADS.items()
    }
    lattice = {"kind": "chain", "sites": sites}
    disorder = {"kind": "uniform", "half_width": half_width}
    system = System.model_validate({"lattice": lattice, "disorder": disorder, "leads": leads})
    rng = generator(ensemble, labels, sample)
    return np.diag(as_dense(systems.open_system(system, rng).hamiltonian)).real


def blocks(study, folder):
    """All points of a study, (axes in the order of their names, sample) -> net current."""
    found = {}
    for block in study.blocks:
        solve_block(block, folder, progress=lambda line: None)
        data = read_dataset(block.file(folder))
        for index in np.ndindex(data["status"].shape):
            at = dict(zip(data["status"].dims, index, strict=True))
            labels = dict(block.outer)
            labels |= {a.name: a.labels[at[a.name]] for a in study.axes if not a.outer}
            key = (*(labels[name] for name in sorted(labels)), int(data["sample"][at["sample"]]))
            found[key] = data["net_particle_current"].values[index].item()
    return found


def test_a_sample_is_the_same_at_every_bias_temperature_and_width():
    first = disorder(V="0.1")
    np.testing.assert_array_equal(disorder(V="0.1", bias="1"), first)
    np.testing.assert_array_equal(disorder(T="3"), first)
    np.testing.assert_array_equal(disorder(half_width=0.25), 0.25 * first)
    assert not np.any(disorder(half_width=0.0))
    assert not np.any(disorder(sample=1) == first)
    assert not np.any(disorder(Ensemble(1, 1, 2)) == first)


def test_a_longer_chain_begins_with_a_shorter_one():
    long = disorder(sites=500)
    for sites in (2, 6, 37):
        np.testing.assert_array_equal(disorder(sites=sites), long[:sites])
    strips = [np.diag(as_dense(_strip(length).hamiltonian)) for length in (2, 5)]
    np.testing.assert_array_equal(*(strip[:6] for strip in strips))


def _strip(length):
    leads = {
        name: lead | {"chemical_potential": 0, "temperature": 0} for name, lead in LEADS.items()
    }
    system = {
        "lattice": {"kind": "strip", "length": length, "width": 3},
        "disorder": {"kind": "uniform", "half_width": 1.0},
        "leads": leads,
    }
    return systems.open_system(System.model_validate(system), generator(Ensemble(1, 1, 1), {}, 0))


def test_independent_points_have_draws_of_their_own():
    apart = Ensemble(1, 1, 1, independent=True)
    found = [disorder(apart, **labels) for labels in ({}, {"V": "1"}, {"V": "2"}, {"T": "1"})]
    for one, other in itertools.combinations(found, 2):
        assert not np.any(one == other)
    np.testing.assert_array_equal(disorder(apart, V="1"), disorder(apart, V="1"))


def test_two_things_that_are_drawn_do_not_know_of_each_other():
    samples = 4000

    def drawn(sample, *names):
        rng = generator(Ensemble(1, 1, 3), {}, sample)
        return {name: stream(rng, name).uniform(-1, 1, 2) for name in names}

    both = [drawn(sample, "onsite", "hopping") for sample in range(samples)]
    for sample in (0, 7):
        alone, turned = drawn(sample, "onsite"), drawn(sample, "hopping", "onsite")
        np.testing.assert_array_equal(alone["onsite"], both[sample]["onsite"])
        np.testing.assert_array_equal(turned["onsite"], both[sample]["onsite"])
    table = np.array([np.concatenate([one["onsite"], one["hopping"]]) for one in both])
    # Uniform in [-1, 1]: variance 1/3, uncorrelated, within five standard errors.
    covariance = table.T @ table / samples
    np.testing.assert_allclose(covariance, np.eye(4) / 3, atol=5 / 3 / np.sqrt(samples))
    np.testing.assert_allclose(np.mean(table**4, axis=0), 1 / 5, atol=5 * 0.27 / np.sqrt(samples))
    # Neighbouring samples are other draws, not shifted ones.
    np.testing.assert_allclose(table[1:].T @ table[:-1] / samples, 0, atol=5 / 3 / np.sqrt(samples))


def test_points_do_not_depend_on_the_grid_or_the_blocks(tmp_path):
    biases, widths = axis("bias", 0.0, 0.4), axis("V", 0.2, 0.5, 1.0)
    whole = blocks(study_of(bias=biases, V=widths), tmp_path / "whole")
    assert len(whole) == 2 * 3 * 6
    others = {
        "small blocks": study_of(Ensemble(6, 4, 1), bias=biases, V=widths),
        "axes exchanged": study_of(V=widths, bias=biases),
        "outer": study_of(bias=axis("bias", 0.0, 0.4, outer=True), V=widths),
        "turned": study_of(bias=axis("bias", 0.4, 0.0), V=axis("V", 1.0, 0.5, 0.2)),
    }
    for name, study in others.items():
        assert blocks(study, tmp_path / name.replace(" ", "-")) == whole, name
    fewer = study_of(Ensemble(3, 2, 1), bias=biases, V=axis("V", 0.5))
    assert blocks(fewer, tmp_path / "fewer").items() <= whole.items()
    for sample in (0, 5):
        one = evaluate_point(study_of(V=axis("V", 0.5)), sample)
        value = one["observables"]["net_particle_current"]["value"]
        assert value == whole["6", "0.1", "0.5", "0", sample]


def test_differences_between_points_have_little_noise(tmp_path):
    """Of one sample at two widths the difference is smooth; of two samples it is not."""
    widths, noise = axis("V", 0.5, 0.51), {}
    for independent in (False, True):
        study = study_of(Ensemble(30, 30, 1, independent), V=widths)
        found = blocks(study, tmp_path / str(independent))
        low, high = (
            np.array([found["6", "0.1", width, "0", k] for k in range(30)])
            for width in ("0.5", "0.51")
        )
        noise[independent] = np.std(high - low) / np.std(low)
    assert noise[False] < 0.05
    assert noise[True] > 1


def test_small_disorder_gives_exact_powers(tmp_path):
    """Current ~ V sample by sample, so that the mean square is ~ V^2 with no noise at all."""
    found = blocks(study_of(V=axis("V", 1e-4, 2e-4)), tmp_path)
    small, large = (
        np.array([found["6", "0.1", v, "0", k] for k in range(6)]) for v in ("0.0001", "0.0002")
    )
    np.testing.assert_allclose(large, 2 * small, rtol=1e-3)


def test_what_is_shared_is_part_of_the_definition():
    texts = [
        template_json(study_of(Ensemble(6, 6, 1, independent))) for independent in (False, True)
    ]
    assert texts[0] != texts[1]
    assert "independent" not in template_json(study_of(None))


@pytest.mark.parametrize("kind", [steady_current, transmission])
def test_a_kind_draws_the_same_however_often_it_is_asked(kind):
    lattice = {"kind": "chain", "sites": 4}
    leads = {
        name: lead | {"chemical_potential": 0.1, "temperature": 0} for name, lead in LEADS.items()
    }
    system = {"lattice": lattice, "disorder": {"kind": "uniform", "half_width": 1}, "leads": leads}
    rest = {"energies": {"start": -1, "stop": 1, "points": 3}} if kind is transmission else {}
    parameters = kind.Parameters.model_validate({"system": system, **rest})
    rng = generator(Ensemble(1, 1, 1), {}, 0)
    once, again = (kind.evaluate(parameters, rng).values for _ in range(2))
    for name, value in once.items():
        np.testing.assert_array_equal(value, again[name])

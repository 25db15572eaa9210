"""Units and tables of a project that has run."""

import csv

import pytest


def rows(folder):
    with (folder / "mu-V-sample.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_project_with_units(ready):
    """Only figures become old; tables and points are in nA."""
    data = ready.data("chain")
    refused = ready.nessflow("export", "chain", "--physical")
    assert refused.returncode == 2
    assert "config/studies/chain.yaml: units: expected `units: {t: 2.5 meV}`" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert ready.nessflow("export", "chain", "--to", "natural").returncode == 0
    ready.edit("config/config.yaml", "tier: paper", "tier: paper\nunits: {t: 2.5 meV}")
    assert "specification of" in ready.nessflow("plan", "chain").stdout
    drawn = {"draw", "list_figures_chain", "list_figures_spectrum"}
    assert ready.jobs().keys() <= drawn | {"all", "total"}
    physical = ready.nessflow("export", "chain", "--physical")
    assert physical.returncode == 0, physical.stderr
    assert ready.data("chain") == data
    tables = ready.folder / "results" / "chain" / "tables"
    for one, other in zip(rows(ready.folder / "natural"), rows(tables), strict=True):
        value = float(one["net_particle_current"]) * 608.5337014469868
        assert float(other["net_particle_current"]) == pytest.approx(value, rel=1e-12)
    assert " nA\n" in ready.nessflow("point", "chain").stdout

"""Every kind of lead serves as lead and as probe, in all kinds of study that have any."""

import re

import pytest

from nessflow.config.project import load_study
from nessflow.config.study import parameters_of
from nessflow.registry import kind_names, members
from nessflow.studies.kind import Status
from nessflow.systems.leads.lead import Lead
from nessflow.verbs.describe import describe_kind

LEADS = {
    "wide-band": "kind: wide-band, broadening: 0.8",
    "semi-infinite-chain": "kind: semi-infinite-chain, coupling: 0.7",
    "semi-infinite-ssh": "kind: semi-infinite-ssh, intracell: 0.98, intercell: 1.02, onsite: 0.7",
    "lorentzian": "kind: lorentzian, coupling: 0.9, half_width: 0.8",
    "semi-infinite-strip": "kind: semi-infinite-strip, coupling: 0.7",
    "unit-cell": "kind: unit-cell, cell: [[0.1, -0.9], [-0.9, 0.1]], hopping: [[0, 0], [-1.1, 0]], "
    "coupling: [[-0.7, 0]]",
    "continued": "kind: continued, onsite: 0.1",
}
COHERENT = ("{{1: 0.8, 2: 0.3j}}", "{{{n}: 0.8, {m}: [0, -0.3]}}")
ROWS = {
    "semi-infinite-strip": ("[1, 2]", "[{m}, {n}]"),
    "unit-cell": ("[1]", "[{n}]"),
}
"""Sites of the left and the right lead where these are rows."""
PLACE = re.compile(r"kind: (?:wide-band|semi-infinite-chain)(?:, (?:broadening|coupling): [^,}]+)?")
EXAMPLES = {name: describe_kind(name).split("NAME.yaml\n\n")[1] for name in kind_names()}
WITH_LEADS = [name for name, text in EXAMPLES.items() if PLACE.search(text)]


def test_all_leads_and_kinds_are_tried():
    assert LEADS.keys() == members(Lead).keys()
    assert len(WITH_LEADS) == 10


def evaluated(name, lead, tmp_path, ends=None):
    """Return the outcome of a middle point of the example of a kind, with other leads."""
    # Probes that continue a lattice have a side, and no sites.
    where = (
        rf"((?:left|right): +\{{)(?:{PLACE.pattern})"
        if lead == "continued"
        else f"(){PLACE.pattern}"
    )
    path, text = tmp_path / "study.yaml", re.sub(where, rf"\1{LEADS[lead]}", EXAMPLES[name])
    if ends:
        last = int(re.search("sites: ([0-9]+)", text)[1])
        for side, site in zip(("left", "right"), ends, strict=True):
            place = f"site: {site.format(n=last, m=last - 1)}, kind"
            text = re.sub(f"({side}: +{{)kind", rf"\1{place}", text)
    if lead == "unit-cell":  # a probe of one row
        text = re.sub(r"sites: (?:\[|\{start: )(\d+)[^]}]*[]}]", r"sites: [\1]", text)
    # Not every lead has the broadening that is an axis of one example.
    path.write_text(text.replace("temperature: 0.1, sites", "temperature: $Gamma, sites"))
    study = load_study(path)
    labels = {axis.name: axis.labels[len(axis.labels) // 2] for axis in study.axes}
    return study.kind.evaluate(parameters_of(study, labels), None)


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("name", WITH_LEADS)
def test_it_serves_as_lead_and_as_probe(name, lead, tmp_path):
    outcome = evaluated(name, lead, tmp_path, ROWS.get(lead))
    assert outcome.status == Status.OK, outcome.message


@pytest.mark.parametrize("lead", sorted(LEADS.keys() - ROWS.keys() - {"continued"}))
@pytest.mark.parametrize("name", WITH_LEADS)
def test_it_couples_coherently_to_several_sites(name, lead, tmp_path):
    outcome = evaluated(name, lead, tmp_path, COHERENT)
    assert outcome.status == Status.OK, outcome.message

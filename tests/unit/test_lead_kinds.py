"""Every kind of lead serves as lead and as probe, in all kinds of study that have any."""

import re

import pytest

from nessflow.description import describe_kind
from nessflow.pipeline.config import load_study
from nessflow.pipeline.study import parameters_of
from nessflow.registry import find_kind, kind_names, members
from nessflow.scattering.leads import Lead
from nessflow.studies.kind import Status

LEADS = {
    "wide-band": "kind: wide-band, broadening: 0.8",
    "semi-infinite-chain": "kind: semi-infinite-chain, coupling: 0.7",
    "semi-infinite-ssh": "kind: semi-infinite-ssh, intracell: 0.98, intercell: 1.02, onsite: 0.7",
    "lorentzian": "kind: lorentzian, coupling: 0.9, half_width: 0.8",
}
PLACE = re.compile(r"kind: (?:wide-band|semi-infinite-chain)(?:, (?:broadening|coupling): [^,}]+)?")
EXAMPLES = {name: describe_kind(name).split("NAME.yaml\n\n")[1] for name in kind_names()}
WITH_LEADS = [name for name, text in EXAMPLES.items() if PLACE.search(text)]


def test_all_leads_and_kinds_are_tried():
    assert LEADS.keys() == members(Lead).keys()
    assert len(WITH_LEADS) == 10


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("name", WITH_LEADS)
def test_it_serves_as_lead_and_as_probe(name, lead, tmp_path):
    kind, path = find_kind(name), tmp_path / "study.yaml"
    text = PLACE.sub(LEADS[lead], EXAMPLES[name])
    # Not every lead has the broadening that is an axis of one example.
    path.write_text(text.replace("temperature: 0.1, sites", "temperature: $Gamma, sites"))
    study = load_study(path, find_kind=find_kind, kind_names=kind_names())
    labels = {axis.name: axis.labels[len(axis.labels) // 2] for axis in study.axes}
    outcome = kind.evaluate(parameters_of(study, labels, kind), None)
    assert outcome.status == Status.OK, outcome.message

"""Studies of the report page stand by paper, in the order of its figures, else by kind."""

import random

from nessflow.report.groups import grouped


def study(name, paper="", figure="", kind="transmission"):
    return {"name": name, "title": name, "paper": paper, "figure": figure, "kind": kind}


STUDIES = [
    study("second", "b", "2"),
    study("second-inset", "b", "2(b)"),
    study("tenth", "b", "10"),
    study("appendix", "b", "S1(b)"),
    study("more", "b", "beyond 2"),
    study("own-1", kind="current"),
    study("cited-once", "alone", "1"),
    study("own-2"),
]


def test_papers_of_several_studies_come_first_and_kinds_take_the_rest():
    shuffled = [dict(entry) for entry in STUDIES]
    random.Random(1).shuffle(shuffled)
    groups = grouped(shuffled)
    found = [(g["name"], g["is_kind"], [s["name"] for s in g["studies"]]) for g in groups]
    assert found == [
        ("b", False, ["second", "second-inset", "tenth", "appendix", "more"]),
        ("current", True, ["own-1"]),
        ("transmission", True, ["cited-once", "own-2"]),
    ]


def test_each_study_knows_its_neighbours():
    row = [s for group in grouped([dict(entry) for entry in STUDIES]) for s in group["studies"]]
    assert [s["before"] for s in row] == [None, *(s["name"] for s in row[:-1])]
    assert [s["after"] for s in row] == [*(s["name"] for s in row[1:]), None]


def test_digits_of_other_scripts_are_no_numbers():
    assert grouped([study("a", "p", "2\u00b2"), study("b", "p", "\u0663")])
    assert grouped([]) == []

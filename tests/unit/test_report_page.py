"""The numbers of the report page, and that no text of a study becomes a part of the page."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from nessflow.report.numbers import (
    largest_errors,
    packed,
    plot_data,
    shared,
    thinned,
    undefined_values,
)
from nessflow.report.page import page
from nessflow.report.pictures import WIDTH, embedded


def labelled(dims, values, units="t", long_name="something"):
    return xr.Variable(dims, values, {"units": "1", "natural_units": units, "long_name": long_name})


@pytest.fixture
def data() -> xr.Dataset:
    current = np.array([[1.0, -4.0], [0.0, 9.0], [2.0, np.nan]])
    return xr.Dataset(
        {
            "current": labelled(("V", "terminal"), current),
            "current_error": labelled(("V", "terminal"), np.full((3, 2), 0.1)),
            "slope": labelled((), 2.0),
            "slope_error": labelled((), 0.5),
            "bias_mean": labelled(("V",), np.ones(3)),
            "bias_sem": labelled(("V",), np.full(3, 0.25)),
            "status": labelled(("V",), np.array([0, 0, 1], np.int8), "1"),
        },
        {
            "V": labelled(("V",), [0.1, 0.2, 0.3]),
            "terminal": labelled(("terminal",), ["left", "right"], "1"),
        },
    )


def unpack(text: str) -> np.ndarray:
    leading = np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 3)
    whole = np.zeros((len(leading), 8), np.uint8)
    whole[:, :3] = leading
    return whole.view(">f8").ravel().astype(float)


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(allow_subnormal=False)))
def test_packed_numbers_keep_four_digits_over_the_whole_range(values):
    found = unpack(packed(values))
    finite = np.isfinite(values) & (np.abs(values) < 1.79e308)
    np.testing.assert_allclose(found[finite], values[finite], rtol=1.3e-4)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    np.testing.assert_array_equal(np.signbit(found), np.signbit(values))


def test_the_largest_errors_are_those_of_points_that_are_ok(data):
    rows = {row["variable"]: row for row in largest_errors(data)}
    assert rows["current"]["value"] == 9
    assert rows["current"]["error"] == 0.1
    assert rows["current"]["relative"] == pytest.approx(0.1)
    assert rows["slope"]["relative"] == pytest.approx(0.25)
    assert rows["bias_mean"]["estimate"] == "standard error of the mean"


@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4), most=st.integers(100, 5000))
def test_thinning_keeps_the_ends_and_the_bound(sizes, most):
    names = {f"d{i}": size for i, size in enumerate(sizes)}
    kept = thinned(names, [tuple(names)], most)
    assert np.prod([places.size for places in kept.values()]) <= most
    for name, places in kept.items():
        assert places[0] == 0
        assert places[-1] == names[name] - 1
        assert (np.diff(places) > 0).all()


def test_a_variable_without_any_value_has_its_reason_and_no_error(data):
    for name in ("bias_mean", "bias_sem"):
        data[name] = data[name] * np.nan
        data[name].attrs["undefined"] = "no leads"
    data["bias"] = data["current"].assign_attrs(undefined="no leads")
    data["slope"].attrs["undefined"] = "at some points"
    assert [row["variable"] for row in largest_errors(data)] == ["current", "slope"]
    found = dict(undefined_values(data))
    assert found == {"no leads": ["bias"], "at some points": ["slope"]}


@pytest.mark.parametrize(("width", "kept"), [(1020, 1020), (2100, WIDTH)])
def test_a_figure_is_embedded_for_reading(width, kept):
    file = io.BytesIO()
    Image.new("RGB", (width, width // 2), "white").save(file, "PNG")
    picture, pixels, height, shown = embedded(file.getvalue())
    assert (pixels, height) == (kept, kept // 2)
    assert width / 2 < shown < width
    assert pixels > shown
    assert embedded(file.getvalue())[0] == picture
    decoded = Image.open(
        io.BytesIO(base64.b64decode(picture.removeprefix("data:image/webp;base64,")))
    )
    assert decoded.size == (pixels, height)


@given(wanted=st.lists(st.integers(1, 1000), min_size=1), total=st.integers(1000, 20000))
def test_who_wants_little_leaves_more_to_others(wanted, total):
    share = shared(wanted, total)
    given_out = sum(min(want, share) for want in wanted)
    assert given_out <= total
    assert share == max(wanted) or sum(min(want, share + 1) for want in wanted) > total


def test_what_is_not_embedded_is_named(data):
    whole = plot_data(data, ["V"], 1000)
    assert whole["left_out"] == []
    assert unpack(whole["values"])[:4].tolist() == [1, -4, 0, 9]
    assert np.isnan(unpack(whole["values"])[4:6]).all()
    assert whole["dims"]["V"]["axis"]
    assert not whole["dims"]["terminal"]["axis"]
    assert plot_data(data, ["V"], 7)["left_out"] == ["1 of 3 values of V"]


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&<!--{{ 1 }}"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, sorted(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def content(text: str) -> dict:
    """A page whose every text is the same."""
    cells = [text, text]
    plot = {
        "dims": {text: {"label": text, "unit": text, "values": cells, "axis": True}},
        "variables": {text: {"label": text, "unit": text, "dims": [text], "start": 0}},
        "values": "",
        "left_out": cells,
        "first": text,
    }
    row = {"value": 1.0, "error": 0.1, "relative": float("nan")}
    figure = {
        "fault": "",
        "width": 2,
        "height": 1,
        "shown": 2,
        "sources": cells,
        "old": True,
    } | dict.fromkeys(("name", "alt", "remark", "file", "picture"), text)
    words = ("name", "title", "reference", "kind", "notes", "command", "count", "fault", "why")
    words += ("before", "after", "figure", "figure_text")
    reason = {"count": 1, "level": "failed", "status": text, "message": text}
    study = dict.fromkeys(words, text) | {
        "is_narrow": True,
        "marks": [{"level": "suspect", "text": text}],
        "undefined": [cells],
        "axes": [dict.fromkeys(("name", "meaning", "range", "unit"), text)],
        "parameters": [cells],
        "provenance": [cells],
        "figures": [figure, {"name": text, "fault": text}],
        "errors": [row | dict.fromkeys(("variable", "unit", "estimate"), text)],
        "failed": {
            "reasons": [reason],
            "other": 2,
            "columns": cells,
            "rows": [cells],
            "more": 3,
        },
        "plot": plot,
    }
    index = {text: {"text": text, "parameters": {text: cells}, "point": text}}
    return {
        "heading": text,
        "summary": text,
        "groups": [{"name": text, "is_kind": True, "studies": [study]}],
        "concerns": [study],
        "index": index,
        "parameters": [text],
    }


def test_no_text_becomes_a_part_of_the_page():
    """The elements and attributes of the page do not depend on its texts."""
    plain, hostile = Tags(), Tags()
    plain.feed(page(content("harmless")))
    hostile.feed(page(content(HOSTILE)))
    assert hostile.found == plain.found
    assert "built-in method" not in page(content("harmless"))


def test_the_page_allows_its_own_scripts_only():
    text = page(content("harmless"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == len(re.findall(r'<script( type="text/plain" .*?)?>', text))
    tags = Tags()
    tags.feed(text)
    assert not [link for link in tags.links if re.match("(https?:)?//", link)]

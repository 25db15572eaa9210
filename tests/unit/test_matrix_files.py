"""Files of matrices that are wrong, each in one line: file, place, what was expected."""

import io
import os
import pickle
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import own_files
from conftest import Project
from nessflow.config.project import ConfigError, load_study
from nessflow.registry import use_project
from nessflow.systems.lattices.given.file import File

STUDY = """\
title: A system of a file
study: steady-current
system:
  lattice: {{kind: file, path: data/{path}{more}}}
  leads:
    left: {{kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1, site: 1}}
"""


OF_FUNCTION = STUDY.replace(
    "kind: file, path: data/{path}", 'kind: python, function: "{path}:build"'
)


@pytest.fixture
def root(tmp_path):
    return own_files.write(tmp_path)


def problems(root, path, more="", study=STUDY, line=4, of_point=False):
    """What is said of a study with a file."""
    use_project(root)
    (root / "config" / "studies" / "one.yaml").write_text(study.format(path=path, more=more))
    with pytest.raises(ConfigError) as caught:
        load_study(root / "config" / "studies" / "one.yaml")
    (problem,) = caught.value.problems
    assert problem.line == line
    assert problem.of_point <= of_point  # a file is wrong at every point
    return str(problem)


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def sparse(matrix):
    stream = io.BytesIO()
    scipy.sparse.save_npz(stream, matrix)
    return stream.getvalue()


def out_of_range():
    h = scipy.sparse.csr_array(np.eye(3))
    h.indices[1] = 7
    return sparse(h)


H = np.array([[0.0, 1.0], [1.0, 0.0]])
NOT_HERMITIAN = np.array([[0, 1, 0], [1.1, 0, 2], [0, 2.5, 0]])

NPZ = {
    "empty": (b"", "it is no .npz archive"),
    "text": (b"0 1\n1 0\n", "it is no .npz archive; expected one of scipy.sparse.save_npz"),
    "pickle": (pickle.dumps(H), "it is no .npz archive"),
    "cut off": (npz(hamiltonian=np.eye(50))[:-300], "it is cut off"),
    "objects": (
        npz(hamiltonian=np.array([[0, "a"], [1, None]], object)),
        "hamiltonian is a pickled Python object, which is not opened",
    ),
    "words": (npz(hamiltonian=np.array([["a", "b"], ["c", "d"]])), "elements of type <U1"),
    "a row": (npz(hamiltonian=np.zeros(4)), "has the shape (4,); expected rows and columns"),
    "not square": (npz(hamiltonian=np.zeros((2, 3))), "expected a square matrix, got the shape"),
    "nothing": (npz(hamiltonian=np.zeros((0, 0))), "has the shape (0, 0)"),
    "nan": (npz(hamiltonian=H * np.nan), "the element [1,1] = nan is not finite"),
    "other names": (
        npz(h=H, v=H),
        "there is no hamiltonian in it; it has h, v, of",
    ),
    "another name": (npz(cell=H), "there is no hamiltonian in it; it has cell, of which name"),
    "not Hermitian": (
        npz(hamiltonian=NOT_HERMITIAN),
        "is not Hermitian: the element (2, 3) = 2, but (3, 2) = 2.5; particle loss and gain",
    ),
    "one triangle": (
        sparse(scipy.sparse.csr_array(np.triu(NOT_HERMITIAN))),
        "only one triangle of it is there",
    ),
    "few digits": (
        npz(hamiltonian=H + np.array([[0, 1e-6], [0, 0]])),
        "take (h + h^+)/2 (hermitian_part: true)",
    ),
    "complex diagonal": (npz(hamiltonian=H + 0.1j * np.eye(2)), "(1, 1) = 0+0.1j has an imaginary"),
    "indices": (out_of_range(), "data/h.npz: "),
}

MTX = "%%MatrixMarket matrix coordinate complex hermitian\n% a comment\n3 3 3\n"
GENERAL = "%%MatrixMarket matrix coordinate real general\n2 2 2\n"
MATRIX_MARKET = {
    "empty": ("", "data/h.mtx, line 1: expected %%MatrixMarket matrix"),
    "text": ("hello\n", "data/h.mtx, line 1: expected %%MatrixMarket matrix"),
    "garbage": (MTX + "1 1 1 0\n2 1 x 0\n3 3 1 0\n", "data/h.mtx, line 5: Invalid floating-point"),
    "a missing number": (MTX + "1 1 1 0\n2 1 1\n", "line 5: expected 4 numbers, got '2 1 1'"),
    "cut off": (MTX + "1 1 1 0\n", "data/h.mtx: it ends after 1 of 3 elements"),
    "too long": (
        MTX + "1 1 1 0\n" * 4,
        "data/h.mtx, line 7: one element more than the 3 that are said",
    ),
    "no size": (MTX[:62], "data/h.mtx: it ends before the size of the matrix"),
    "out of range": (MTX + "1 1 1 0\n4 1 1 0\n3 3 1 0\n", "line 5: Row index out of bounds"),
    "not finite": (MTX + "1 1 nan 0\n2 1 1 0\n3 3 1 0\n", "the element [1,1] = (nan+0j) is not"),
    "not square": (GENERAL.replace("2 2 2", "2 3 1") + "1 1 1\n", "expected a square matrix"),
    "complex symmetric": (
        MTX.replace("hermitian", "symmetric") + "1 1 1 0\n2 1 0 1\n3 3 1 0\n",
        "line 1: a complex symmetric matrix, h[j,k] = h[k,j], is not Hermitian; write hermitian",
    ),
    "skew": (MTX.replace("hermitian", "skew-symmetric"), "line 1: a skew-symmetric matrix"),
    "pattern": (
        GENERAL.replace("real", "pattern") + "1 2\n2 1\n",
        "line 1: a pattern matrix",
    ),
    "complex columns of a real matrix": (
        GENERAL + "1 2 0 1\n2 1 0 -1\n",
        "line 3: expected 3 numbers, got '1 2 0 1'",
    ),
    "one triangle": (GENERAL + "1 2 1\n1 1 1\n", "only one triangle of it is there"),
    "both triangles": (
        MTX + "2 1 1 0\n1 2 1 0\n3 3 1 0\n",
        "the element [1,2] is listed twice; of a matrix that is not general one triangle is listed",
    ),
    "twice": (GENERAL + "1 1 1\n1 1 1\n", "the element [1,1] is listed twice"),
    "imaginary diagonal": (MTX + "1 1 1 3\n2 1 1 0\n3 3 1 0\n", "(1, 1) = 1+3j has an imaginary"),
    "bytes": (bytes(range(256)), "data/h.mtx, line 1: expected %%MatrixMarket matrix"),
}


def wannier(*changes):
    """The file of the wire with some texts changed."""
    text = own_files.hr_dat(own_files.WIRE, own_files.DEGENERACIES)
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    return text


def lines(first, last):
    return "\n".join(wannier().splitlines()[first:last]) + "\n"


WANNIER90 = {
    "empty": ("", "data/x_hr.dat, line 2: expected the number of orbitals, got ''"),
    "text": ("a\nb\nc\n", "data/x_hr.dat, line 2: expected the number of orbitals, got 'b'"),
    "no number of vectors": (lines(0, 2), "line 3: expected the number of lattice vectors"),
    "degeneracies": (wannier(("    3    2", "    3    0")), "line 4: expected degeneracies"),
    "more degeneracies": (wannier(("    3    2", "  3  2  1")), "line 4: 6 degeneracies for 5"),
    "cut off in them": (lines(0, 3), "it ends after 0 of 5 degeneracies"),
    "cut off": (lines(0, 20), "it ends after 16 elements; expected 20, of 5 lattice vectors with"),
    "too long": (wannier() + lines(4, 5), "it has 21 elements; expected 20"),
    "garbage": (wannier(("0.300000", "0.3oo000")), "line 5: expected five whole and two finite"),
    "nan": (wannier(("0.300000", "     nan")), "line 5: expected five whole and two finite"),
    "a missing number": (
        wannier(("    0.300000", "            ")),
        "line 5: expected R1 R2",
    ),
    "an orbital": (wannier(("    2    2    0.15", "    2    3    0.15")), "line 8: orbitals are"),
    "another vector": (
        wannier(("   -2    0    0    2    2", "   -1    0    0    2    2")),
        "line 8: the lattice vector is not (-2, 0, 0)",
    ),
    "an element twice": (
        wannier(("    2    2    0.15", "    1    1    0.15")),
        "line 5: of the lattice vector (-2, 0, 0) the element 2 2 is missing",
    ),
    "not Hermitian": (
        wannier(("   -0.700000   -0.100000", "   -0.700000    0.100000")),
        "the hoppings are not Hermitian: <0 1|h|(0, 0, 0) 2> = -0.7+0.1j, but the conjugate of",
    ),
}


# Files of Siesta as sisl writes them, and what is done to these.

SPINS = {"unpolarized": 1, "polarized": 2, "non-colinear": 4, "spin-orbit": 8}


def siesta(ending, spin="unpolarized", change=None, **kwargs):
    """What sisl writes of a wire with two orbitals in a cell, and its Hamiltonian."""
    import sisl  # where it is installed

    geometry = sisl.Geometry([[0, 0, 0], [1, 0, 0]], sisl.Atom(1, R=2.1), lattice=[2, 10, 10])
    geometry.set_nsc([3, 1, 1])
    written = sisl.Hamiltonian(geometry, spin=sisl.Spin(spin), dtype=np.float64, **kwargs)
    numbers = np.array([0.3, -0.2, 0.1, 0.15, 0.0, 0.0, 0.1, -0.15])[: written.shape[2]]
    hopping = np.array([-0.5, -0.4, 0.2, 0, 0, 0, 0.2, 0])[: written.shape[2]]
    if not written.orthogonal:
        numbers = np.array([0.3, 1.0])
    written.construct([[0.1, 2.1], [numbers, hopping]])
    if spin in ("non-colinear", "spin-orbit"):
        written[0, 0] = [0.1, 0.2, 0.3, 0.4, 0, 0, 0.3, -0.4][: written.shape[2]]
    if change is not None:
        change(written)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"h{ending}"
        written.write(path)
        return path.read_bytes(), written


def of_siesta(change):
    """The same, its bytes changed."""
    return lambda: change(siesta(".TSHS")[0])


def huge(content):
    """The first record of a file, its sizes, with more than there is."""
    at = content.index((2).to_bytes(4, "little"))
    return content[:at] + (10**9).to_bytes(4, "little") + content[at + 4 :]


def one_side(written):
    written[0, 1] = -3


SISL = {
    "empty": (lambda: b"", "data/h.TSHS: it is empty"),
    "text": (lambda: b"hello, world\n" * 9, "it is no file of Siesta: it is not made of records"),
    "rubbish": (lambda: bytes(range(256)) * 9, "it is no file of Siesta"),
    "cut off": (of_siesta(lambda content: content[: len(content) // 2]), "it is cut off in its re"),
    "huge": (of_siesta(huge), "its record 2 says that there are 1000000000 of something"),
    "another format": (lambda: siesta(".nc")[0], "it is no file of Siesta: it is not made of"),
    "overlaps": (
        lambda: siesta(".TSHS", orthogonal=False)[0],
        "its orbitals overlap, and energies",
    ),
    "not Hermitian": (
        lambda: siesta(".TSHS", change=one_side)[0],
        "the hoppings are not Hermitian: <0 1|h|(0, 0, 0) 2> = -3, but the conjugate of",
    ),
}


def npy(shape, kind="<f8"):
    """An array that says to have a shape, with ten numbers."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117)
    size = (len(header) + 1).to_bytes(2, "little")
    return b"\x93NUMPY\x01\x00" + size + header.encode() + b"\n" + bytes(80)


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return stream.getvalue()


def coordinates(shape, row=0):
    """A sparse matrix of one element that says to have a shape."""
    one = {"row": np.array([row]), "col": np.array([0]), "data": np.array([1.0])}
    return npz(format=b"coo", shape=np.array(shape), **one)


NPZ |= {
    "huge": (archive(hamiltonian=npy((10**6, 10**6))), "8000000000000 bytes, but 80 bytes follow"),
    "below 0": (archive(hamiltonian=npy((-1, -1))), "hamiltonian has the shape (-1, -1) by its"),
    "no array": (archive(hamiltonian=b"hello"), "hamiltonian is no array of NumPy"),
    "huge sparse": (coordinates((10**9, 10**9)), "expected at most 10000000 rows"),
    "three": (coordinates((2, 2, 2)), "its shape is [2, 2, 2]; expected rows and columns"),
    "index": (coordinates((2, 2), row=5), "index 5 exceeds matrix dimension 2"),
}
MATRIX_MARKET |= {
    "huge": (GENERAL.replace("2 2 2", f"{10**9} {10**9} 1") + "1 1 1\n", "at most 10000000 rows"),
    "huge count": (
        GENERAL.replace("2 2 2", f"2 2 {10**12}") + "1 1 1\n",
        "it ends after 1 of 1000",
    ),
    "huge array": (
        "%%MatrixMarket matrix array real general\n100000 100000\n1\n",
        "the shape (100000, 100000) and all its elements are stored; expected a sparse one",
    ),
    "below 0": (GENERAL.replace("2 2 2", "-2 -2 1"), "line 2: expected the size of the matrix, 3"),
}
WANNIER90 |= {"huge": ("c\n999999\n999999\n1 1\n", "it ends after 2 of 999999 degeneracies")}

OWN = """\
import numpy as np

H = np.diag([1.0, 2.0, 3.0])
LEAD = {"orbitals": [0], "cell": [[0.0]], "hopping": [[1.0]]}


def build():
    return %s
"""
FUNCTIONS_OF_OWN = {
    "nothing": ("None", "or a finalised system of Kwant, got nothing"),
    "text": ("'h'", "got str"),
    "a row": ("np.zeros(3)", "hamiltonian: expected a matrix, got the shape (3,)"),
    "not square": ("np.zeros((2, 3))", "expected a square matrix, got the shape (2, 3)"),
    "ragged": ("[[1.0], [2, 3]]", "expected a matrix, rows of equally many numbers"),
    "nan": ("H * np.nan", "the element (0, 0) is nan, not finite"),
    "not Hermitian": ("np.triu(np.ones((3, 3)))", "only one triangle of it is there"),
    "a key": (
        "{'hamiltonan': H}",
        "a description has no hamiltonan; it may have hamiltonian, leads",
    ),
    "a row of a lead": ("{'hamiltonian': H, 'leads': {'a': LEAD | {'orbitals': [5]}}}", "no row 5"),
    "a cell": ("{'hamiltonian': H, 'leads': {'a': LEAD | {'cell': H}}}", "cell (3, 3)"),
    "loss": ("{'hamiltonian': H, 'loss': np.eye(2)}", "loss has the shape (2, 2), hamiltonian (3,"),
    "site": ("{'hamiltonian': H, 'site': [0, 1]}", "site: expected 3 whole numbers"),
    "an error": ("1 / 0", "parts/own.py:8: ZeroDivisionError: division by zero"),
    "an exit": ("exit()", "parts/own.py:8: SystemExit"),
    "an argument": ("int(H, bse=3)", "parts/own.py:8: TypeError"),
}
KWANT = """\
import kwant
import numpy as np


def system(onsite=0.0, finalised=True, hopping=-1.0):
    lattice = kwant.lattice.chain(norbs=1)
    found = kwant.Builder()
    found[(lattice(i) for i in range(3))] = onsite
    found[lattice.neighbors()] = -1.0
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1,)))
    lead[lattice(0)] = 0.0
    if hopping:
        lead[lattice.neighbors()] = hopping
    found.attach_lead(lead)
    return found.finalized() if finalised else (found, lead)


def build():
    return %s
"""
SYSTEMS_OF_KWANT = {
    "not finalised": ("system(finalised=False)[0]", "Builder of Kwant is not finalised: return"),
    "a lead": ("system(finalised=False)[1].finalized()", "of Kwant goes on for ever"),
    "nan": ("system(float('nan'))", "hamiltonian: the element (0, 0) is (nan+0j), not finite"),
    "not Hermitian": ("system(1j)", "the element (0, 0) = 0+1j has an imaginary part"),
    "an argument": ("system(lambda site, U: U)", "the system of Kwant takes U; give its value"),
    "an error": ("system(lambda site: 1 / 0)", "parts/own.py:19: ZeroDivisionError: division by"),
    "empty": ("kwant.Builder().finalized()", "the system of Kwant has no sites"),
    "no hopping": ("system(hopping=0)", "lead0 of Kwant has no hopping from cell to cell"),
    "a size": ("system(lambda site: np.eye(2))", "Hopping from site 0 to site 1 does not match"),
}
ARRAYS = {
    "too few": ("[1, 2]", "one.yaml:5: system.disorder.values = [1, 2]: 2 values for 24 sites"),
    "none": ("[]", "expected at least 1 entries"),
    "a number": ("0.5", "system.disorder.values = 0.5: expected a list"),
    "nan": ("[.nan]", "system.disorder.values.0: expected a finite number, not .nan"),
    "text": ("[a]", "system.disorder.values.0 = a: expected a number"),
    "rows": ("[[1, 2]]", "system.disorder.values.0 = [1, 2]: expected a number"),
    "of bonds": ("[1, 2], on: bonds", "2 values for 38 bonds"),
}
ARRAY = STUDY.replace("  leads:", "  disorder: {{kind: array, values: {content}}}\n  leads:")
FORMATS = {
    "npz": ("data/h.npz", "", NPZ),
    "mtx": ("data/h.mtx", "", MATRIX_MARKET),
    "wannier90": ("data/x_hr.dat", ", cut: {cells: 3}", WANNIER90),
    "sisl": ("data/h.TSHS", ", cut: {cells: 3}", SISL),
    "python": ("parts/own.py", "", FUNCTIONS_OF_OWN),
    "kwant": ("parts/own.py", "", SYSTEMS_OF_KWANT),
    "array": ("", "", ARRAYS),
}
TEMPLATES = {"python": OWN, "kwant": KWANT}


OF_PEERS = {"sisl": [pytest.mark.peer], "kwant": [pytest.mark.peer]}


@pytest.mark.parametrize(
    ("form", "name"),
    [
        pytest.param(form, name, marks=OF_PEERS.get(form, []))
        for form, (*_, cases) in FORMATS.items()
        for name in cases
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of Kwant, on leads that are cut
def test_what_is_wrong_is_one_line(root, form, name):
    path, more, cases = FORMATS[form]
    content, said = cases[name]
    content = content() if callable(content) else content
    if form == "array":
        found = problems(
            root, "strip.mtx", study=ARRAY.replace("{content}", content), line=5, of_point=True
        )
    else:
        content = TEMPLATES[form] % content if form in TEMPLATES else content
        (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        study = STUDY if form not in TEMPLATES else OF_FUNCTION
        found = problems(root, path.removeprefix("data/"), more, study, of_point=study != STUDY)
    assert said in found
    assert "\n" not in found


@pytest.mark.peer
@pytest.mark.parametrize("ending", [".nc", ".HSX"])
@pytest.mark.parametrize("content", [b"", b"hello, world\n" * 9, bytes(range(256)) * 9])
def test_the_other_files_of_siesta(root, ending, content):
    (root / "data" / f"h{ending}").write_bytes(content)
    found = problems(root, f"h{ending}", ", cut: {cells: 3}")
    assert any(said in found for said in ("it is empty", "no file of Siesta", "no netCDF file"))


@pytest.mark.peer
def test_files_of_siesta_are_those_that_hold_all_of_it(root):
    (root / "data" / "RUN.fdf").write_text("SystemLabel x\n")
    found = problems(root, "RUN.fdf", ", format: sisl, cut: {cells: 3}")
    assert "expected a file of Siesta, .TSHS, .HSX, .nc" in found


PLACES = {
    "missing": ("strp.mtx", "there is no such file in", "did you mean 'strip.mtx'?"),
    "folder": (".", "data/.: it is no file; expected a file below the folder of the project"),
    "above": ("../../h.mtx", "expected a file below the folder of the project"),
    "ending": ("h.txt", "its ending tells no format; expected one of .npz, .mtx, _hr.dat"),
    "pipe": ("pipe.npz", "data/pipe.npz: it is no file"),
}


@pytest.mark.parametrize("name", PLACES)
def test_places(root, name):
    (root / "data" / "h.txt").write_text("1")
    os.mkfifo(root / "data" / "pipe.npz")
    path, *said = PLACES[name]
    found = problems(root, path)
    assert all(text in found for text in said)


CUTS = {
    "none": ("graphene_hr.dat", "", "is a periodic system; say which cells are the system"),
    "of a matrix": (
        "strip.mtx",
        ", cut: {cells: 3}",
        "is one matrix, not periodic",
    ),
    "across": ("graphene_hr.dat", ", cut: {cells: 3}", "add width: {2: 4} for 4 cells with open"),
    "too short": ("wire_hr.dat", ", cut: {cells: 1}", "hoppings reach 2 cells, so that leads"),
    "along": (
        "graphene_hr.dat",
        ", cut: {cells: 3, width: {1: 2}}",
        "lattice vector 1 is that of the leads",
    ),
    "both": (
        "graphene_hr.dat",
        ", cut: {cells: 3, width: {2: 2}, phase: {2: 0.1}}",
        "lattice vector 2 has a width as well",
    ),
    "nothing": (
        "wire_hr.dat",
        ", cut: {direction: 2, cells: 3, width: {1: 4}}",
        "nothing hops along lattice vector 2",
    ),
    "orbitals": ("wire_hr.dat", ", orbitals: 3, cut: {cells: 3}", "has 2 orbitals in a cell"),
    "names": ("wire_hr.dat", ", name: h, cut: {cells: 3}", "data/wire_hr.dat has no names"),
    "sites": ("strip.mtx", ", orbitals: 5", "24 rows are no whole number of sites with 5 orbitals"),
    "name": ("strip_arrays.npz", ", name: h", "there is no h in it; it has hamiltonian, loss"),
}


@pytest.mark.parametrize("name", CUTS)
def test_pieces_of_periodic_systems(root, name):
    path, more, said = CUTS[name]
    use_project(root)
    (root / "config" / "studies" / "one.yaml").write_text(STUDY.format(path=path, more=more))
    with pytest.raises(ConfigError, match=r"one\.yaml:4") as caught:
        load_study(root / "config" / "studies" / "one.yaml")
    assert said in str(caught.value)


LOSS = STUDY.replace("path: data/{path}{more}", "path: data/strip.mtx").replace(
    "  leads:", "  loss: {{kind: file, path: data/{path}{more}}}\n  leads:"
)
LOSSES = {
    "size": (np.eye(3), "data/p.npz has 3 rows, the Hamiltonian of the file 24"),
    "negative": (np.diag([1.0, -1.0]), "the negative eigenvalue -1"),
    "not Hermitian": (np.triu(np.ones((24, 24))), "only one triangle of it is there"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss(root, name):
    matrix, said = LOSSES[name]
    np.savez(root / "data" / "p.npz", loss=matrix)
    use_project(root)
    (root / "config" / "studies" / "one.yaml").write_text(LOSS.format(path="p.npz", more=""))
    with pytest.raises(ConfigError, match=r"one\.yaml:5: system\.loss\.path") as caught:
        load_study(root / "config" / "studies" / "one.yaml")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("{file: data/nothing.npz}", "cell = .*data/nothing.npz: there is no such file"),
        ("{file: data/strip.npz, name: cell}", "data/strip.npz: there is no cell in it"),
        ("{fil: data/lead.npz}", "expected rows, or {file: data/lead.npz}"),
        ("{file: data/wire_hr.dat}", "it holds the hoppings of a periodic system"),
    ],
)
def test_cells_of_leads(root, cell, said):
    text = STUDY.replace("{{kind: wide-band, broadening: 1,", "LEAD").format(
        path="strip.mtx", more=""
    )
    own = f"{{kind: unit-cell, cell: {cell}, hopping: {{file: data/lead.npz}},"
    text = text.replace("LEAD", own).replace("site: 1", "site: [1, 2]")
    use_project(root)
    (root / "config" / "studies" / "one.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_study(root / "config" / "studies" / "one.yaml")


# --- functions ------------------------------------------------------------------------------------

FUNCTION = STUDY.replace("kind: file, path: data/{path}", 'kind: python, function: "{path}"')
FUNCTIONS = {
    "no file": ("parts/nothing.py:build", "there is no file parts/nothing.py in"),
    "no function": ("parts/my_model.py:build", "parts/my_model.py has no function build; it has"),
    "no name": ("parts/my_model.py", "expected file and name of a function, parts/my_model.py"),
    "elsewhere": ("/tmp/my_model.py:chain", "expected file and name of a function"),
    "import": ("parts/broken.py:build", "parts/broken.py:2: NameError: name 'y' is not defined"),
    "syntax": ("parts/syntax.py:build", "parts/syntax.py:1: SyntaxError"),
    "arguments": (
        "parts/my_model.py:chain",
        "parts/my_model.py:5: chain(sites, energy=0.0) has no argument W; leave it out",
    ),
}


def functions(root):
    (root / "parts" / "broken.py").write_text("x = 1\ny\n")
    (root / "parts" / "syntax.py").write_text("def f(:\n")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(root, name):
    functions(root)
    path, said = FUNCTIONS[name]
    use_project(root)
    text = FUNCTION.format(path=path, more=", parameters: {W: 5}")
    (root / "config" / "studies" / "one.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"one\.yaml:4: system\.lattice\.") as caught:
        load_study(root / "config" / "studies" / "one.yaml")
    assert said in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("whole", "my_model.py:whole: hamiltonian is an array of whole numbers (int64)"),
        ("failing", "parts/my_model.py:21: ZeroDivisionError: division by zero"),
        (
            "wrong",
            "my_model.py:wrong: hamiltonian is not Hermitian: the element (0, 0) = 0+1j",
        ),
    ],
)
def test_what_functions_return(root, function, said):
    use_project(root)
    path = f"parts/my_model.py:{function}"
    text = FUNCTION.format(path=path, more=", parameters: {sites: 5}")
    (root / "config" / "studies" / "one.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_study(root / "config" / "studies" / "one.yaml")
    assert said in str(caught.value)


# --- the command ----------------------------------------------------------------------------------


def test_plan_ends_with_status_2_and_other_studies_run(root):
    studies = root / "config" / "studies"
    (studies / "good.yaml").write_text(STUDY.format(path="strip.mtx", more=""))
    (studies / "bad.yaml").write_text(STUDY.format(path="strip.mt", more=""))
    done = Project(root).nessflow_here("plan")
    assert done.returncode == 2
    assert "bad.yaml:4: system.lattice.path = data/strip.mt" in done.stderr
    assert "Traceback" not in done.stderr
    assert "good: system.lattice: 24 sites, 100 elements; " in done.stdout
    assert " for each energy (dense)" in done.stdout


def test_plan_says_what_a_large_system_takes(root):
    study = """\
title: wide
study: steady-current
system:
  lattice: {kind: strip, length: 400, width: 10}
  leads:
    left:  {kind: continued, chemical_potential: 0.12, temperature: 0}
    right: {kind: continued, chemical_potential: 0.1, temperature: 0}
"""
    (root / "config" / "studies" / "wide.yaml").write_text(study)
    said = Project(root).nessflow_here("plan", "wide").stdout
    assert "wide: system.lattice: 4000 sites; " in said
    assert " for each energy (banded); integrals over the energy: some " in said
    assert " levels between 0.1 and 0.12, each 20 energies" in said


# --- Siesta and others ----------------------------------------------------------------------------


def test_without_sisl_its_files_say_what_is_missing(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "sisl", None)
    (root / "data" / "wire.TSHS").write_bytes(b"0")
    said = problems(root, "wire.TSHS", ", cut: {cells: 3}")
    assert "such files are read by sisl: pip install sisl" in said


@pytest.mark.peer
@pytest.mark.parametrize("spin", SPINS)
@pytest.mark.parametrize("ending", [".TSHS", ".nc"])
def test_what_sisl_writes_is_what_is_read(root, spin, ending):
    content, written = siesta(ending, spin)
    (root / "data" / f"wire{ending}").write_bytes(content)
    use_project(root)
    found = File(path=f"data/wire{ending}", cut={"cells": 3})
    assert found.orbitals == (2 if spin == "unpolarized" else 4)
    assert found.described.remarks[0] == "energies in eV"
    h = found.described.hamiltonian.toarray()
    n = found.orbitals
    for phase in (0.0, 0.13, 0.4):
        # A wave along the wire, from what couples the middle cell to all three.
        waves = np.exp(2j * np.pi * phase * np.arange(-1, 2))
        block = sum(h[n : 2 * n, k * n : (k + 1) * n] * waves[k] for k in range(3))
        expected = written.Hk(k=[phase, 0, 0], gauge="lattice", format="array")
        if spin == "polarized":
            expected = np.zeros((n, n), complex)
            for number in range(2):
                expected[number::2, number::2] = written.Hk(
                    k=[phase, 0, 0], spin=number, gauge="lattice", format="array"
                )
        np.testing.assert_allclose(block, expected, atol=1e-12)

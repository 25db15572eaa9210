"""Programs of others judge the data and the archive; what they say is shown.

Their environment comes from `make judges-environment`; without it these tests are skipped, where
CI is set they fail.
"""

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from judge import JUDGES, judge, needs_judges

from conftest import ROOT, git_checkout
from nessflow.config.grid import points_of
from nessflow.config.project import load_study, parameters_of
from nessflow.config.study import variables_at
from nessflow.publish.crate import METADATA, About, File, Run, crate_json
from nessflow.run.ensemble import with_statistics
from nessflow.run.provenance import origin, origins_json, provenance
from nessflow.run.solve import coordinates_of
from nessflow.store.citation import attributes_of, read_citation
from nessflow.store.layout import pending_dataset
from nessflow.store.status import OK
from nessflow.store.store import read_dataset, write_dataset
from nessflow.verbs.begin.init import init_project


@pytest.fixture(scope="module")
def datasets(finished, tmp_path_factory) -> list[Path]:
    """Data and blocks of small studies, and for each kind a file of its variables, not computed."""
    folder = tmp_path_factory.mktemp("kinds")
    files = sorted(finished.folder.glob("results/**/*.nc"))
    found = {}
    for path in sorted((ROOT / "config" / "studies").glob("*.yaml")):
        study = load_study(path, tier="smoke")
        most = found.setdefault(study.kind_name, study)
        if len(variables_of_first(study)) > len(variables_of_first(most)):
            found[study.kind_name] = study
    for name, study in found.items():
        write_dataset(uncomputed(study), folder / f"{name}.nc")
    return [*files, *sorted(folder.glob("*.nc"))]


def variables_of_first(study):
    """Variables of the first point of a study, whose studies may choose them."""
    return variables_at(study.kind, parameters_of(study, next(iter(points_of(study.axes)))))


def uncomputed(study):
    first = {axis.name: axis.labels[0] for axis in study.axes if axis.outer}
    samples = range(2) if study.ensemble else None
    coordinates = coordinates_of(study, first)
    dataset = pending_dataset(study.axes, first, samples, variables_of_first(study), coordinates)
    dataset["status"].values[...] = OK
    dataset = dataset.assign_attrs(provenance(study), origins=origins_json([origin()]))
    return with_statistics(dataset) if study.ensemble else dataset


@needs_judges
def test_data_follow_the_conventions(datasets, capsys):
    """No error of the highest level in CF-1.11 and ACDD-1.3, but for one check of ACDD.

    It wants each variable's name in the table of CF, which has none for currents of electrons.
    """
    judge_data(capsys, *datasets)


def judge_data(capsys, *paths: Path) -> None:
    checks = ("--test", "cf:1.11", "--test", "acdd:1.3", "--skip-checks", "check_var_standard_name")
    script = Path(__file__).with_name("conventions.py")
    judge(capsys, JUDGES / "python", script, *checks, "--criteria", "lenient", *paths)


@needs_judges
def test_the_archive_is_a_workflow_run_crate(finished, tmp_path, capsys):
    """Every requirement of RO-Crate 1.1 and of the three profiles of workflow runs."""
    project = git_checkout(finished, tmp_path / "project")
    done = project.nessflow("archive", "create")
    assert done.returncode == 0, done.stderr
    judge_crate(capsys, project.folder / "results" / "archive.zip", tmp_path / "cache")


def judge_crate(capsys, crate: Path, cache: Path) -> None:
    judge(capsys, JUDGES / "python", Path(__file__).with_name("vocabulary.py"), cache)
    judge(
        capsys,
        *(JUDGES / "rocrate-validator", "--no-interactive", "--disable-color", "validate"),
        *("--offline", "--cache-path", cache, "--no-paging", "--verbose"),
        *("--profile-identifier", "workflow-run-crate", "--requirement-severity", "REQUIRED"),
        crate,
    )


@pytest.fixture
def cited(tmp_path) -> Path:
    """A project as it begins, with the ORCID and DOI of somebody."""
    list(init_project(tmp_path, "Emmy Noether"))
    path = tmp_path / "CITATION.cff"
    text = path.read_text().replace("# doi: 10.5281/zenodo.0000000", "doi: 10.5281/zenodo.1234567")
    orcid = "affiliation: Mathematics\n    orcid: https://orcid.org/0000-0002-1825-0097"
    path.write_text(text.replace("# orcid: https://orcid.org/0000-0000-0000-0000", orcid))
    return tmp_path


@needs_judges
def test_citation_files_are_valid(cited, capsys):
    for folder in (ROOT, cited):
        read_citation(folder)
        judge(capsys, JUDGES / "cffconvert", "--validate", "--infile", folder / "CITATION.cff")


@needs_judges
def test_a_person_and_a_doi_in_the_crate(cited, tmp_path_factory, capsys):
    about = About("Wires", "Data.", "2026-01-01", "0" * 40, "9.20", read_citation(cited))
    contents = {name: (cited / name).read_bytes() for name in ("README.md", "Snakefile")}
    files = {n: File(len(c), sha256(c).hexdigest()) for n, c in contents.items()}
    run = Run("wire", "A wire", "One point.", read=["Snakefile"], written=["README.md"])
    folder = tmp_path_factory.mktemp("crate")
    for name in contents:
        shutil.copy(cited / name, folder)
    (folder / METADATA).write_text(crate_json(about, files, {}, [run], "Snakefile"))
    assert "https://orcid.org/0000-0002-1825-0097" in (folder / METADATA).read_text()
    judge_crate(capsys, folder, tmp_path_factory.mktemp("cache"))


@needs_judges
def test_data_of_a_person_follow_the_conventions(cited, finished, tmp_path, capsys):
    data = read_dataset(finished.folder / "results" / "chain" / "data.nc")
    path = tmp_path / "data.nc"
    write_dataset(data.assign_attrs(attributes_of(read_citation(cited))), path)
    judge_data(capsys, path)


@pytest.mark.skipif(
    shutil.which("ncdump") is None and not os.environ.get("CI"), reason="no ncdump here"
)
def test_ncdump_reads_every_file(datasets, capsys):
    for path in datasets:
        text = subprocess.run(["ncdump", path], capture_output=True, text=True, check=True).stdout
        assert 'Conventions = "CF-1.11, ACDD-1.3"' in text
    with capsys.disabled():
        print(f"\nncdump reads {len(datasets)} files")

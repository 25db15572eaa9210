"""Programs of others judge the data and the archive; what they say is shown.

Their environment comes from `make judges-environment`; without it these tests are skipped, where
CI is set they fail.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from judge import JUDGES, judge, needs_judges

from conftest import ROOT, git_checkout
from nessflow.config.grid import points_of
from nessflow.config.project import load_study, parameters_of
from nessflow.config.study import variables_at
from nessflow.run.ensemble import with_statistics
from nessflow.run.provenance import origin, origins_json, provenance
from nessflow.run.solve import coordinates_of
from nessflow.store.layout import pending_dataset
from nessflow.store.status import OK
from nessflow.store.store import write_dataset


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
    checks = ("--test", "cf:1.11", "--test", "acdd:1.3", "--skip-checks", "check_var_standard_name")
    script = Path(__file__).with_name("conventions.py")
    judge(capsys, JUDGES / "python", script, *checks, "--criteria", "lenient", *datasets)


@needs_judges
def test_the_archive_is_a_workflow_run_crate(finished, tmp_path, capsys):
    """Every requirement of RO-Crate 1.1 and of the three profiles of workflow runs."""
    project = git_checkout(finished, tmp_path / "project")
    done = project.nessflow("archive", "create")
    assert done.returncode == 0, done.stderr
    judge(capsys, JUDGES / "python", Path(__file__).with_name("vocabulary.py"), tmp_path / "cache")
    judge(
        capsys,
        *(JUDGES / "rocrate-validator", "--no-interactive", "--disable-color", "validate"),
        *("--offline", "--cache-path", tmp_path / "cache", "--no-paging", "--verbose"),
        *("--profile-identifier", "workflow-run-crate", "--requirement-severity", "REQUIRED"),
        project.folder / "results" / "archive.zip",
    )


@pytest.mark.skipif(
    shutil.which("ncdump") is None and not os.environ.get("CI"), reason="no ncdump here"
)
def test_ncdump_reads_every_file(datasets, capsys):
    for path in datasets:
        text = subprocess.run(["ncdump", path], capture_output=True, text=True, check=True).stdout
        assert 'Conventions = "CF-1.11, ACDD-1.3"' in text
    with capsys.disabled():
        print(f"\nncdump reads {len(datasets)} files")

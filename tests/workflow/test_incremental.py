"""What a change makes run again, and nothing more."""


def test_more_samples_compute_new_blocks_only(ready):
    ready.edit("config/studies/chain.yaml", "samples: 20", "samples: 30")
    assert ready.jobs() == {"block": 2, "gather_chain": 1, "draw_chain": 1, "all": 1, "total": 5}


def test_a_new_outer_value_computes_its_blocks_only(ready):
    ready.edit("config/studies/chain.yaml", "outer: [0.1, 0.3]", "outer: [0.1, 0.2, 0.3]")
    assert ready.jobs() == {"block": 2, "gather_chain": 1, "draw_chain": 1, "all": 1, "total": 5}


def test_a_new_inner_value_computes_its_points_only(ready, project):
    ready.edit("config/studies/chain.yaml", "inner: [0.5, 1.0]", "inner: [0.5, 0.75, 1.0]")
    assert ready.jobs()["block"] == 4
    done = ready.snakemake("chain")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("20 points reused, 10 computed") == 4
    project.edit("config/studies/chain.yaml", "inner: [0.5, 1.0]", "inner: [0.5, 0.75, 1.0]")
    assert project.snakemake("chain").returncode == 0
    assert ready.data("chain") == project.data("chain")


def test_a_style_edit_redraws_only(ready):
    style = "src/nessflow/figures/paper.mplstyle"
    (ready.folder / style).write_text((ready.folder / style).read_text() + "lines.linewidth: 3\n")
    assert set(ready.jobs()) == {"draw_chain", "draw_spectrum", "all", "total"}


def test_a_comment_in_a_solver_reruns_nothing(ready):
    solver = ready.folder / "src/nessflow/scattering/currents.py"
    solver.write_text(solver.read_text() + "\n# A remark.\n")
    assert ready.jobs() == {}


def test_touched_files_rerun_nothing(ready):
    for path in (ready.folder / "src").rglob("*.py"):
        path.touch()
    for path in (ready.folder / "config").rglob("*.yaml"):
        path.touch()
    assert ready.jobs() == {}


def test_a_changed_solver_reruns_its_studies_only(ready):
    kind = ready.folder / "src/nessflow/studies/transmission.py"
    kind.write_text(kind.read_text() + "\nCHANGED = 1\n")
    jobs = ready.jobs()
    assert jobs["block"] == 1
    assert "draw_spectrum" in jobs
    assert "draw_chain" not in jobs


def test_a_changed_parameter_recomputes_everything_of_its_study(ready):
    ready.edit("config/studies/chain.yaml", "rate: 0.1", "rate: 0.2")
    assert ready.jobs()["block"] == 4
    done = ready.snakemake("chain")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("0 points reused, 20 computed") == 4


def test_a_changed_title_gathers_and_draws_only(ready):
    ready.edit("config/studies/chain.yaml", "Small disordered chain", "Another title")
    assert "block" not in ready.jobs()


def test_results_copied_without_the_history_of_snakemake(ready):
    import shutil

    shutil.rmtree(ready.folder / ".snakemake")
    assert ready.jobs() == {}
    ready.edit("config/studies/chain.yaml", "samples: 20", "samples: 30")
    assert ready.jobs()["block"] == 2
    assert ready.snakemake().returncode == 0
    shutil.rmtree(ready.folder / ".snakemake")
    ready.edit("config/studies/chain.yaml", "rate: 0.1", "rate: 0.2")
    done = ready.snakemake()
    assert done.returncode != 0
    assert "run again" in done.stderr
    done = ready.snakemake()
    assert done.returncode == 0, done.stderr

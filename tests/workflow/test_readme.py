"""The README's own study runs as it says."""

import re
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
STUDY = re.search(r"```yaml\n(.*?)```", README, re.S)[1]


def test_the_study_of_the_readme(project, monkeypatch):
    project.study("chain").unlink()
    project.study("spectrum").unlink()
    project.study("my-wire").write_text(STUDY)
    assert "my-wire" in project.nessflow("plan", "my-wire").stdout
    point = re.search(r"nessflow (point my-wire [^#\n]*)", README)[1].split()
    done = project.nessflow(*point)
    assert done.returncode == 0, done.stderr
    assert "net_particle_current = " in done.stdout
    assert project.nessflow("try", "my-wire").stdout.rstrip().endswith("current.png")
    done = project.nessflow("run", "my-wire")
    assert done.returncode == 0, done.stderr
    assert project.jobs("my-wire") == {}
    monkeypatch.chdir(project.folder)
    cells = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(cells) == 2
    for code in cells:
        exec(compile(code, "README.md", "exec"), {})


def test_commands_of_the_readme_exist(project):
    for verb in sorted(set(re.findall(r"`nessflow ([a-z]+)", README))):
        assert project.nessflow(verb, "--help").returncode == 0
    for target in re.findall(r"^make ([\w-]+)", README, re.M):
        makefile = (Path(__file__).resolve().parents[2] / "Makefile").read_text()
        assert re.search(rf"^{target}:", makefile, re.M)

"""The layout of Snakefiles, those of the documents too, is that of snakefmt."""

from judge import JUDGES, judge, needs_judges

from conftest import ROOT
from pages import blocks_of, page

FOLDERS = ("workflow", "src/nessflow")


@needs_judges
def test_snakefiles_have_their_layout(capsys, tmp_path):
    found = [ROOT / folder for folder in FOLDERS]
    paths = [path for folder in found for path in folder.rglob("*.smk")]
    paths += [path for folder in found for path in folder.rglob("Snakefile")]
    paths.append(ROOT / "Snakefile")
    assert len(paths) > 9
    for name in ("own-project.md", "module.md"):
        blocks = [block.text for block in blocks_of(page(name)) if "rule all:" in block.text]
        assert len(blocks) == 1
        paths.append(tmp_path / f"{name}.smk")
        paths[-1].write_text(blocks[0])
    # Pages of the documents are read by people: their lines are as long as others.
    judge(capsys, JUDGES / "snakefmt", "--check", "--line-length", "100", *paths)

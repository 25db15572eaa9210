"""``.zenodo.json``: title, authors and licence of an archive as Zenodo reads them."""

import json

from nessflow.store.citation import ORCID, Author, Citation

ZENODO = ".zenodo.json"


def zenodo_json(citation: Citation, description: str) -> str:
    """Return the metadata of a deposit; the same text for the same archive.

    Parameters
    ----------
    citation : Citation
        What ``CITATION.cff`` says.
    description : str
        What is in the archive.
    """
    found = {
        "title": citation.title,
        "upload_type": citation.type,
        "creators": [_creator(who) for who in citation.authors],
        "license": citation.licence.lower(),
        "description": description,
        "version": citation.version,
    }
    said = {key: value for key, value in found.items() if value}
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


def _creator(who: Author) -> dict[str, str]:
    """Return an author; of a person Zenodo wants the family name first."""
    name = ", ".join(filter(None, (who.family, who.given))) if who.is_person else who.whole
    found = {
        "name": name,
        "orcid": who.orcid.removeprefix(ORCID),
        "affiliation": who.affiliation,
    }
    return {key: value for key, value in found.items() if value}

"""Fill the cache of rocrate-validator with what it would fetch: the vocabulary of RO-Crate 1.1.

Made from that of RO-Crate 1.3 in the package rocrate, which has all terms that the archive uses at
the same addresses, but for Bioschemas' own.  Usage: ``python vocabulary.py CACHE``.
"""

import io
import sys
from importlib.resources import files

from requests import Response
from requests.adapters import BaseAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

ADDRESS = "https://w3id.org/ro/crate/1.1/context"


def vocabulary() -> bytes:
    text = (files("rocrate") / "data" / "ro-crate.jsonld").read_text(encoding="utf-8")
    return text.replace("https://bioschemas.org/terms/", "https://bioschemas.org/").encode()


class Packaged(BaseAdapter):
    """Answers with the vocabulary, from no network."""

    def send(self, request, **options):
        headers = {"Content-Type": "application/ld+json"}
        response = Response()
        response.status_code = 200
        response.url, response.request = request.url, request
        response.headers.update(headers)
        body = io.BytesIO(vocabulary())
        response.raw = HTTPResponse(
            body, headers, 200, preload_content=False, request_url=request.url
        )
        return response

    def close(self):
        pass


session = CachedSession(sys.argv[1], backend="sqlite", expire_after=-1)
session.mount(ADDRESS, Packaged())
session.get(ADDRESS).raise_for_status()

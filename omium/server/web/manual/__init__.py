"""The documentation as pages of the server: `/docs`, a search, and an API reference from OpenAPI.

Plain HTML with one stylesheet: no script, nothing from another address, and a Content-Security-Policy that
would refuse both. Open to everybody who reaches the server, as the package is: nothing of a tenant is in it
(docs/decisions/255-documentation-is-open.md).

    site.py       which pages there are, each made once, with its ETag
    markup.py     Markdown to HTML: raw HTML is escaped, links lead within the site
    frame.py      what stands around a page: search, list of pages, outline, where to go next
    reference.py  the OpenAPI document as Markdown, a page per tag and one of types
    schemas.py    a JSON schema in words
"""

from typing import Final

HTML: Final = "text/html; charset=utf-8"
CSS: Final = "text/css; charset=utf-8"

"""A local preview of the built book."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from .execute import check_run
from .project import project_root


def serve(profile: str, port: int) -> None:
    """Serve the built book on the loopback address until interrupted.

    Raises
    ------
    FileNotFoundError
        If the book has not been built.
    """
    check_run(profile, [0])
    folder = project_root() / "build" / profile / "html"
    if not (folder / "index.html").is_file():
        raise FileNotFoundError(f"no book in {folder}; build it first with: make book PROFILE={profile}")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"http://127.0.0.1:{port}/  (stop with Ctrl-C)")
        server.serve_forever()

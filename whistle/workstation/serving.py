"""The local page, served on 127.0.0.1 to this computer alone."""

import logging
from pathlib import Path

from werkzeug.serving import BaseWSGIServer, make_server

from whistle.workstation.app import create_app
from whistle.workstation.workstation import Workstation

HOST = "127.0.0.1"


def serve(
    workstation: Workstation, stick: Path | None, port: int = 0, saved: Path | None = None
) -> tuple[BaseWSGIServer, str]:
    """A server for the page, and its address; the caller lets it run.  Nothing is logged: addresses hold a token."""
    logging.getLogger("werkzeug").disabled = True
    app = create_app(workstation, stick, saved=saved)
    server = make_server(HOST, port, app, threaded=False)
    return server, f"http://{HOST}:{server.server_port}{app.config['WHISTLE_PATH']}"

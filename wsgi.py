"""The application for a WSGI server. WHISTLE_SERVER names the server's folder; the default is the current one."""

import os
from pathlib import Path

from whistle.server import create_app

app = create_app(Path(os.environ.get("WHISTLE_SERVER", ".")))

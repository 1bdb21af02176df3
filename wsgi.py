"""The application for a WSGI server: the folder stands in WHISTLE_SERVER, or is where the process was started."""

import os
from pathlib import Path

from whistle.server import create_app

app = create_app(Path(os.environ.get("WHISTLE_SERVER", ".")))

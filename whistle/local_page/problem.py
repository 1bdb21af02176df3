"""A page that says why a program could not be started, for whoever started it by a double click."""

import threading
from collections.abc import Callable, Sequence

import flask

from whistle.local_page import guard, listening, window

LONGEST = 600.0  # seconds for which it is served, if it is shown in the browser
PAGE = """<!doctype html>
<html lang="en" translate="no">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Whistle</title>
</head>
<body>
<main>
<h1>Whistle could not be started</h1>
{% for line in lines %}<p>{{ line[:1]|upper }}{{ line[1:] }}.</p>
{% endfor %}
<p>You can close this page.</p>
</main>
</body>
</html>
"""


def show(lines: Sequence[str], browse: Callable[[str], object]) -> None:
    """Show these lines, until the window is closed or for LONGEST; with `browse` where there is no window."""
    app, path = flask.Flask(__name__, static_folder=None), guard.path()
    guard.protect(app)
    app.add_url_rule(path, view_func=lambda: flask.render_template_string(PAGE, lines=lines))
    server, address = listening.serve(app, 0, path)
    late = threading.Timer(LONGEST, server.shutdown)
    late.daemon = True
    late.start()
    try:
        window.serve(server, address, window.WINDOW, browse)
    finally:
        late.cancel()
        server.server_close()

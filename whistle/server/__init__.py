"""The server: pages for reporters, interfaces for their programs and for couriers."""

from pathlib import Path

import flask

from whistle.server import headers, limits, static_files
from whistle.server.api.courier import blueprint as couriers
from whistle.server.api.reporter import blueprint as reporters_programs
from whistle.server.config import Config
from whistle.server.counting import Memory
from whistle.server.instance import Clock, attach, open_instance
from whistle.server.reporter import long_texts, routes


def create_app(config: Config | Path, now: Clock | None = None, memory: Memory | None = None) -> flask.Flask:
    """Create the application for a configuration, or for the folder that contains one.

    Raises ConfigError, BadManifest or StoreError when it cannot start, but not for a database that does not answer yet.
    ``now`` replaces the system's clock (UTC); ``memory`` is shared by the processes of one
    server to count requests for the limits.
    """
    if isinstance(config, Path):
        config = Config.load(config)
    app = flask.Flask(__name__, template_folder="reporter/templates", static_folder=None)
    app.url_map.strict_slashes = app.url_map.merge_slashes = False  # such redirects would repeat host and query
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True, "autoescape": True}
    app.jinja_options["finalize"] = long_texts.set_apart
    attach(app, open_instance(config, now, may_be_away=True))
    limits.init(app, config, memory)
    headers.init(app)
    app.register_error_handler(404, routes.fault)
    for blueprint in (static_files.blueprint, reporters_programs, couriers, routes.blueprint):
        app.register_blueprint(blueprint)
    return app

"""The flask application: a blueprint per area, behind one set of security checks."""

import logging
import threading

from flask import Flask, Response, jsonify
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from functions.runtime.control import Control
from functions.runtime.http import (
    administration,
    data_plane,
    functions_api,
    invoke_api,
    log_polls,
    metrics_page,
    routes,
    security,
)
from functions.runtime.http.body import BadBodyError
from functions.runtime.http.deployment import Deployment
from functions.runtime.http.places import MAX_INVOCATIONS, MAX_POLLS, Places

log = logging.getLogger(__name__)


class _Anything(BaseConverter):
    """The rest of a path, whatever it is: topics and ARNs hold slashes, and may begin with one."""

    regex = r"[\s\S]*"
    part_isolating = False


class _Json(DefaultJSONProvider):
    """JSON whose keys stay as they were written: a name first, and not in the middle."""

    sort_keys = False


def create_app(
    control: Control, *, deployment: Deployment, stopping: threading.Event | None = None
) -> Flask:
    """Put the HTTP side together.

    Args:
        control: the runtime.
        deployment: what it is served as.
        stopping: set when long polls have to end.

    Raises:
        RouteError: the functions' http events cannot be served beside each other.
    """
    app = Flask(__name__, static_folder=None)
    app.json = _Json(app)
    # Paths mean what they say: a topic may hold two slashes in a row.
    app.url_map.merge_slashes = False
    app.url_map.converters["anything"] = _Anything
    invocations, polls = Places(MAX_INVOCATIONS), Places(MAX_POLLS)
    security.protect(app, host=deployment.host)
    for blueprint in (
        data_plane.create_blueprint(control),
        invoke_api.create_blueprint(control, deployment, invocations),
        functions_api.create_blueprint(control, deployment),
        metrics_page.create_blueprint(control),
        administration.create_blueprint(control),
        log_polls.create_blueprint(control, polls, stopping or threading.Event()),
        routes.create_blueprint(control, deployment, invocations),
    ):
        app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(BadBodyError, _bad_body)
    app.register_error_handler(Exception, _failed)
    return app


def _refused(error: HTTPException) -> tuple[Response, int]:
    return jsonify(message=error.description), error.code or 500


def _bad_body(error: BadBodyError) -> tuple[Response, int]:
    return jsonify(message=str(error)), error.status


def _failed(error: Exception) -> tuple[Response, int]:
    """Answer a failure of our own without a word of it, and log it whole."""
    log.error("a request failed", exc_info=error)
    return jsonify(message="Internal server error"), 500

"""Sealing and reading on the reporter's own device; nothing is written to a disk but files saved on request."""

from whistle.reporter.api import Api
from whistle.reporter.connection import Link, Server
from whistle.reporter.delivery import SEALED, Course, File, follow_up, seal, send
from whistle.reporter.errors import Away, BadServer, CannotSave, Declined, ReporterError, TooMuch, Untrusted
from whistle.reporter.lookup import RECEIPT, CaseView, look, save, save_receipt, whole

__all__ = [
    "RECEIPT",
    "SEALED",
    "Api",
    "Away",
    "BadServer",
    "CannotSave",
    "CaseView",
    "Course",
    "Declined",
    "File",
    "Link",
    "ReporterError",
    "Server",
    "TooMuch",
    "Untrusted",
    "follow_up",
    "look",
    "save",
    "save_receipt",
    "seal",
    "send",
    "whole",
]

"""Uploads to the local page: they stay in memory until they are sealed, up to a limit."""

import io
from typing import IO

import flask


class Request(flask.Request):
    """A request whose uploads never touch a temporary file.

    What exceeds the application's `WHISTLE_MOST` bytes is read and dropped, so that the page can say that it was
    `too_much` and show the texts again.
    """

    uploaded = 0  # bytes of files

    @property
    def too_much(self) -> bool:
        """Whether files were dropped."""
        return bool(self.files) and self.uploaded > self._most

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return _Bounded(self)

    @property
    def _most(self) -> int:
        return int(flask.current_app.config["WHISTLE_MOST"])


class _Bounded(io.BytesIO):
    def __init__(self, request: Request) -> None:
        super().__init__()
        self._request = request

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._request.uploaded += len(data)
        if self._request.uploaded > self._request._most:
            self.truncate(0)
            return len(data)
        return super().write(data)

"""What is uploaded to the local page: it stays in memory until it is sealed, and no more of it than was set."""

import io
from typing import IO

import flask


class Request(flask.Request):
    """A request whose uploads never touch a temporary file.

    What goes beyond the application's `WHISTLE_MOST` bytes is read and let go, so that the form can be told that it was
    `too_much` and its texts be given back.
    """

    uploaded = 0  # bytes of files

    @property
    def too_much(self) -> bool:
        """Whether files were let go."""
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

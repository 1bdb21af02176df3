"""What is wrong with a catalogue."""


class CatalogueError(Exception):
    """A mistake in a file of translations; the message names file, line and key, `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

"""Running the server: setup, process, housekeeping."""

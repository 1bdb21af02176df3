"""Script off: forms are sealed while they stream in, and cases are opened for their page."""

"""Sealing for reporters without script: forms are sealed while they stream in, and cases are opened for the page."""

"""The courier's local page: one button."""

"""What a reporter and a courier meet."""

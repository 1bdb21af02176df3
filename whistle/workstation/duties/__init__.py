"""What is due, by whom and by when, and the texts with which it is done."""

"""What the messages of a case mean, and what a reviewer says in it."""

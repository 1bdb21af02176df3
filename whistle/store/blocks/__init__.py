"""Where blocks rest: the interface, and one file for each way of keeping them."""

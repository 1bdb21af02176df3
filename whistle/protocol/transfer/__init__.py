"""What couriers carry, and how they prove who they are (SPEC 8, 9.2)."""

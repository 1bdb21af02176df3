"""What comes and goes: bundles in, bundles out."""

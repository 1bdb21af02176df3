"""Pages beside the cases: what was sent, what leaves the vault, and the workstation itself."""

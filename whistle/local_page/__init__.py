"""A page for the user at this computer alone: what workstation and courier share of theirs."""

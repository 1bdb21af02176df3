"""Reporters' safety: check-ins, checks of the risk, cases that name each other, and telling whoever is on duty."""

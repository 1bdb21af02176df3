"""Who may read and who signed: manifests and their chain, minisign, enrolment, key files (SPEC 1, 7)."""

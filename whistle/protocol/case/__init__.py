"""The parts of a case: messages, their envelopes, and attachments (SPEC 4, 5, 6)."""

"""What a case is made of: messages, the envelopes that hold them, and attachments (SPEC 4, 5, 6)."""

"""The vault's tables, revision by revision."""

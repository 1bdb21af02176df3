"""Storage: everything decrypted, behind one passphrase, and its backup."""

"""What is kept: everything decrypted, behind one passphrase, and its backup."""

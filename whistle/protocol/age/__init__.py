"""The age v1 file format over PyNaCl, read as strictly as C2SP demands."""

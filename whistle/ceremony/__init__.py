"""How an organisation comes into being: roots and manifest, a ceremony that leads through all of it, a demo."""

"""What a reviewer meets, offline."""

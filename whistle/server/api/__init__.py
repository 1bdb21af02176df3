"""What programs ask: reporters' programs and couriers."""

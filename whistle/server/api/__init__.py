"""Interfaces for programs: reporters' and couriers'."""

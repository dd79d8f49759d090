"""A local Customer.io."""

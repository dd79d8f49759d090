"""Deletion receipts: what is proof that a person was deleted or suppressed at Customer.io."""

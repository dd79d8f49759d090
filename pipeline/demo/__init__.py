"""What the demo runs on: a small SaaS shop, whose events are seeded and realistic."""

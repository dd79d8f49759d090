"""What Customer.io's Track API is: limits, requests, what its answers mean, and the client that talks to it."""

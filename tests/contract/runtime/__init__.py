"""One suite on the fake and the real container runtime."""

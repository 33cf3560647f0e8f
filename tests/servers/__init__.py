"""Real servers and a hostile network for tests."""

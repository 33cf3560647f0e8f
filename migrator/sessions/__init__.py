"""EDGE: protocols. Sessions with foreign servers; strangers to the engine, they fulfil its ports."""

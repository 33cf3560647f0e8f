"""Archives that the service keeps: where they lie, when passes come, how long they are kept, how they are destroyed."""

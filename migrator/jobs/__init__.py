"""Where ends and engine meet: states, recipes, runner, lease, operations, queries."""

"""What new servers would not take: shown, handed out, put in when the cause is gone, forgotten in the end."""

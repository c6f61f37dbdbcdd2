"""Every model that can do a task, on the same windows and splits."""

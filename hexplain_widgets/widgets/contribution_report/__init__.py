"""The view of what each concept added to a score."""

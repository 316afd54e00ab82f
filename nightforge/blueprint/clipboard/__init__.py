"""The editor's clipboard text: read into raw objects, checked, translated into programs, and written back."""

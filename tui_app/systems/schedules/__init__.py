"""Posts that are scheduled for publishing."""

"""What looks like personal data: by its value, and by the name that it goes under."""

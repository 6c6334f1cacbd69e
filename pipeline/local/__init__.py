"""What a laptop has in place of AWS and a database server: embedded services, sample data, one directory."""

"""What runs the job: this process, several processes, or a cluster."""

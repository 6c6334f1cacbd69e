"""Submitting the job to Google's Dataflow."""

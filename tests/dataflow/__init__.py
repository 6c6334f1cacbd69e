"""The job submitted to a stand-in of Google's APIs, and run from what was staged there."""

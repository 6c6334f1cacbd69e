"""What a stream costs on AWS, by a formula of which an operator replaces every number: docs/scaling.md."""

# The two numbers of the queue that Prometheus cannot have: SQS tells the exact age to CloudWatch alone, and no job reads
# the dead-letter queue.

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "maskline-${var.name}-dead-letters"
  alarm_description   = "Messages were given up: docs/operations.md, MasklineDeadLetters."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "age" {
  alarm_name          = "maskline-${var.name}-age"
  alarm_description   = "The oldest message has waited for a day, of the 14 that SQS keeps it: docs/operations.md, MasklineBehind."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.messages.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 86400
  treat_missing_data  = "notBreaching"
  tags                = var.tags
}

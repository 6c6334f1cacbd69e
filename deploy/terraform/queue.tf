# The queue, and where messages go that were delivered too often. The job rejects what it cannot read, into the database, so
# nothing gets there but what no job could finish: an alert on its depth is an alert on the job.

resource "aws_sqs_queue" "dead_letters" {
  name                              = "${var.name}-dead-letters"
  message_retention_seconds         = 1209600 # 14 days, the most there is: the ledger knows a message for 16
  kms_master_key_id                 = aws_kms_key.queue.arn
  kms_data_key_reuse_period_seconds = 3600
  tags                              = var.tags
}

resource "aws_sqs_queue" "messages" {
  name                              = var.name
  message_retention_seconds         = 1209600
  visibility_timeout_seconds        = 60 # the job sets its own with each receive: --visibility_timeout_seconds
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = aws_kms_key.queue.arn
  kms_data_key_reuse_period_seconds = 3600
  tags                              = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.messages.arn]
  })
}

resource "aws_sqs_queue_policy" "encrypted_transport" {
  for_each  = { messages = aws_sqs_queue.messages, dead_letters = aws_sqs_queue.dead_letters }
  queue_url = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "NothingInTheClear"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = each.value.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

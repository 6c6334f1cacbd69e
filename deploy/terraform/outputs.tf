output "queue_url" {
  description = "--queue"
  value       = aws_sqs_queue.messages.url
}

output "dead_letter_queue_url" {
  description = "For settle.py of docs/reliability.md, before a redrive."
  value       = aws_sqs_queue.dead_letters.url
}

output "keyset_uri" {
  description = "--keyset; the object is made by `maskline keys`."
  value       = "aws-kms://${aws_kms_key.keyset.arn}?keyset=s3://${var.keyset_bucket}/keysets/${var.name}.json"
}

output "job_role_arn" {
  description = "taskRoleArn on ECS, aws.roleArn of the Helm chart."
  value       = aws_iam_role.job.arn
}

output "producer_policy_arn" {
  description = "To attach to the producers' roles."
  value       = aws_iam_policy.producer.arn
}

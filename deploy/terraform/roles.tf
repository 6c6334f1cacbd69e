# What the job may do, and no more: receive, delete and extend, read one object, decrypt with two keys.

data "aws_iam_policy_document" "job_trust" {
  dynamic "statement" {
    for_each = var.job_principals
    content {
      actions = ["sts:AssumeRole", "sts:TagSession"]

      principals {
        type        = statement.key
        identifiers = [statement.value]
      }
    }
  }

  dynamic "statement" {
    for_each = var.oidc_provider == null ? [] : [var.oidc_provider]
    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [statement.value.arn]
      }

      condition {
        test     = "StringEquals"
        variable = "${statement.value.url}:sub"
        values   = ["system:serviceaccount:${statement.value.service_account}"]
      }

      condition {
        test     = "StringEquals"
        variable = "${statement.value.url}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }
}

data "aws_iam_policy_document" "job" {
  statement {
    sid       = "Queue"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    resources = [aws_sqs_queue.messages.arn]
  }

  statement {
    sid       = "MessagesAtRest"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.queue.arn]
  }

  statement {
    sid       = "KeysetObject"
    actions   = ["s3:GetObject"]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::${var.keyset_bucket}/keysets/${var.name}.json"]
  }

  statement {
    sid       = "KeysetKey"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.keyset.arn]
  }
}

resource "aws_iam_role" "job" {
  name               = "maskline-${var.name}"
  assume_role_policy = data.aws_iam_policy_document.job_trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "job" {
  name   = "maskline"
  role   = aws_iam_role.job.id
  policy = data.aws_iam_policy_document.job.json
}

# What a producer may do, to attach to roles of its own.
data "aws_iam_policy_document" "producer" {
  statement {
    sid       = "Send"
    actions   = ["sqs:SendMessage", "sqs:GetQueueUrl"]
    resources = [aws_sqs_queue.messages.arn]
  }

  statement {
    sid       = "EncryptAtRest"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = [aws_kms_key.queue.arn]
  }
}

resource "aws_iam_policy" "producer" {
  name   = "maskline-${var.name}-producer"
  policy = data.aws_iam_policy_document.producer.json
  tags   = var.tags
}

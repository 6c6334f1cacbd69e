# Two keys, for two purposes: who may read messages may not therefore open the keyset.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_kms_key" "queue" {
  description             = "Messages of ${var.name} at rest in SQS"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags
}

resource "aws_kms_key" "keyset" {
  description             = "The keyset of ${var.name}: whoever decrypts with this can turn tokens into values"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountAdministersTheKey"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
        Action = [
          "kms:CancelKeyDeletion", "kms:Create*", "kms:Describe*", "kms:Disable*", "kms:Enable*", "kms:Get*",
          "kms:List*", "kms:Put*", "kms:Revoke*", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
          "kms:Update*",
        ]
        Resource = "*"
      },
      {
        Sid       = "KeyHoldersMakeAndOpenTheKeyset"
        Effect    = "Allow"
        Principal = { AWS = var.key_administrators }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"]
        Resource  = "*"
      },
      {
        Sid       = "TheJobOpensTheKeyset"
        Effect    = "Allow"
        Principal = { AWS = aws_iam_role.job.arn }
        Action    = ["kms:Decrypt"]
        Resource  = "*"
        # "maskline.keyset", which Tink gives as associated data: nothing else that this key encrypted is opened.
        Condition = { StringEquals = { "kms:EncryptionContext:associatedData" = "6d61736b6c696e652e6b6579736574" } }
      },
    ]
  })
}

resource "aws_kms_alias" "queue" {
  name          = "alias/maskline-${var.name}-queue"
  target_key_id = aws_kms_key.queue.key_id
}

resource "aws_kms_alias" "keyset" {
  name          = "alias/maskline-${var.name}-keyset"
  target_key_id = aws_kms_key.keyset.key_id
}

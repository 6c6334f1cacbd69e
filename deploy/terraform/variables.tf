variable "name" {
  description = "What the queue carries, logins say: it is part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,40}$", var.name))
    error_message = "name: lower case letters, digits and hyphens, a letter first."
  }
}

variable "keyset_bucket" {
  description = "The bucket that holds the encrypted keyset, as NAME.json under keysets/. It exists already, with versions kept."
  type        = string
}

variable "key_administrators" {
  description = "ARNs of the roles that make and rotate the keyset: maskline keys. No job is one of them."
  type        = list(string)
}

variable "job_principals" {
  description = <<-TEXT
    Who takes the job's role: {Service = "ecs-tasks.amazonaws.com"} for ECS, {Service = "pods.eks.amazonaws.com"} for EKS
    Pod Identity. For IRSA leave it empty, and give oidc_provider.
  TEXT
  type        = map(string)
  default     = {}
}

variable "oidc_provider" {
  description = "For IRSA: the cluster's provider, by ARN and by URL without https://, and the service account as NAMESPACE:NAME."
  type = object({
    arn             = string
    url             = string
    service_account = string
  })
  default = null
}

variable "max_receive_count" {
  description = "After how many deliveries a message is given up to the dead-letter queue. Deliveries end early with every restart, so not few."
  type        = number
  default     = 20

  validation {
    condition     = var.max_receive_count >= 5
    error_message = "max_receive_count: fewer than 5 gives messages up over a few restarts of the job."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

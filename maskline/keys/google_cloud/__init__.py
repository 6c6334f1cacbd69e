"""Google Cloud: keysets in Secret Manager, and encrypted by Cloud KMS. The extra ``google`` brings what it takes."""

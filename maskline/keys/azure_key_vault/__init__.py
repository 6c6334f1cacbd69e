"""Azure Key Vault: keysets in secrets, and encrypted by a key of it. The extra ``azure`` brings what it takes."""

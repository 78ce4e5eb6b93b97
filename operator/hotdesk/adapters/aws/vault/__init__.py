"""The Vault port on EBS snapshots, and on archives in S3 that machines make when SSM asks them."""

from hotdesk.adapters.aws.vault.vault import AwsVault

__all__ = ["AwsVault"]

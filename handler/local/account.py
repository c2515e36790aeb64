"""The account and region that the local stage pretends to be in."""

ACCOUNT_ID = "123456789012"
REGION = "eu-central-1"

"""A runtime executor for LocalStack's Lambda that runs functions as processes instead of containers."""

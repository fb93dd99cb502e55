"""A runtime executor for LocalStack's Lambda: processes in place of containers."""

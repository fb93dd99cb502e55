from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """The executor that LAMBDA_RUNTIME_EXECUTOR=process selects."""

    name = "process"

    def load(self, *args, **kwargs):
        # Imported here, because LocalStack loads all plugins at its start and Lambda only at the first call.
        from .alias import update_alias_in_place
        from .executor import ProcessExecutor
        from .log_group import use_configured_log_group

        use_configured_log_group()
        update_alias_in_place()
        return ProcessExecutor

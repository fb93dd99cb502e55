from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """What LAMBDA_RUNTIME_EXECUTOR=process stands for."""

    name = "process"

    def load(self, *args, **kwargs):
        # LocalStack looks through all plugins when it starts; Lambda itself it loads with the first call.
        from .alias import keep_alias
        from .executor import ProcessExecutor
        from .log_group import heed_log_group

        heed_log_group()
        keep_alias()
        return ProcessExecutor

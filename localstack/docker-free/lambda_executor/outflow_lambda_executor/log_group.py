from functools import cache

from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment


@cache
def use_configured_log_group() -> None:
    """Makes functions log to the log group of their configuration. LocalStack 4.14.0 always logs to the default one."""
    default = ExecutionEnvironment.get_log_group_name

    def configured(self: ExecutionEnvironment) -> str:
        return self.function_version.config.logging_config.get("LogGroup") or default(self)

    ExecutionEnvironment.get_log_group_name = configured

def update_alias_in_place() -> None:
    """Lets CloudFormation update an alias when its function has a new version.

    LocalStack 4.14.0 treats the change as a replacement: it fails to create the alias again, and then deletes the existing one,
    so that every mapping to it loses its function.
    """
    from localstack.services.lambda_.resource_providers.lambda_alias import LambdaAliasProvider

    create, delete = LambdaAliasProvider.create, LambdaAliasProvider.delete

    def create_or_update(self, request):
        model, lambda_ = request.desired_state, request.aws_client_factory.lambda_
        alias = _find(lambda_, model)
        # LocalStack calls this again until it returns success.
        if alias is not None and alias["FunctionVersion"] != model["FunctionVersion"]:
            lambda_.update_alias(
                FunctionName=model["FunctionName"], Name=model["Name"], FunctionVersion=model["FunctionVersion"]
            )
            model["Id"] = alias["AliasArn"]
            return _success(model)
        return create(self, request)

    def delete_unless_updated(self, request):
        model = request.desired_state
        alias = _find(request.aws_client_factory.lambda_, model)
        if alias is not None and alias["FunctionVersion"] != model["FunctionVersion"]:
            return _success(request.previous_state)
        return delete(self, request)

    LambdaAliasProvider.create, LambdaAliasProvider.delete = create_or_update, delete_unless_updated


def _find(lambda_, model):
    try:
        return lambda_.get_alias(FunctionName=model["FunctionName"], Name=model["Name"])
    except lambda_.exceptions.ResourceNotFoundException:
        return None


def _success(model):
    from localstack.services.cloudformation.resource_provider import OperationStatus, ProgressEvent

    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)

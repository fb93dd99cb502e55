def keep_alias() -> None:
    """Has CloudFormation move an alias when its function is deployed anew.

    LocalStack 4.14.0 takes the change for a replacement: creating the alias once more fails, and cleaning up afterwards deletes
    the one that is there, so that every mapping to it loses its function.
    """
    from localstack.services.lambda_.resource_providers.lambda_alias import LambdaAliasProvider

    create, delete = LambdaAliasProvider.create, LambdaAliasProvider.delete

    def create_or_move(self, request):
        model, lambda_ = request.desired_state, request.aws_client_factory.lambda_
        alias = _find(lambda_, model)
        # LocalStack calls again until it is told that the creation is complete.
        if alias is not None and alias["FunctionVersion"] != model["FunctionVersion"]:
            lambda_.update_alias(
                FunctionName=model["FunctionName"], Name=model["Name"], FunctionVersion=model["FunctionVersion"]
            )
            model["Id"] = alias["AliasArn"]
            return _success(model)
        return create(self, request)

    def delete_unless_moved(self, request):
        model = request.desired_state
        alias = _find(request.aws_client_factory.lambda_, model)
        if alias is not None and alias["FunctionVersion"] != model["FunctionVersion"]:
            return _success(request.previous_state)
        return delete(self, request)

    LambdaAliasProvider.create, LambdaAliasProvider.delete = create_or_move, delete_unless_moved


def _find(lambda_, model):
    try:
        return lambda_.get_alias(FunctionName=model["FunctionName"], Name=model["Name"])
    except lambda_.exceptions.ResourceNotFoundException:
        return None


def _success(model):
    from localstack.services.cloudformation.resource_provider import OperationStatus, ProgressEvent

    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)

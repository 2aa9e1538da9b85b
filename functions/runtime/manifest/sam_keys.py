"""The keys of a SAM template: those that are read, those that AWS alone heeds, those refused.

From the AWS SAM developer guide: "AWS SAM template anatomy", "AWS::Serverless::Function", "Globals
section". `..._IGNORED`: they concern deployment, permissions or AWS services; nothing here would be
different with them. `..._REFUSED`: they would change what happens; each with what to do instead.
"""

TRANSFORM = "AWS::Serverless-2016-10-31"

ROOT = ("Transform", "Globals", "Parameters", "Mappings", "Resources")
ROOT_IGNORED = (
    *("AWSTemplateFormatVersion", "Description", "Metadata", "Outputs", "Hooks"),
    # Neither has an effect by itself; a Condition that is used somewhere is refused there.
    *("Conditions", "Rules"),
)
ROOT_REFUSED: dict[str, str] = {}

RESOURCE = ("Properties", "Metadata")
RESOURCE_IGNORED = (
    *("Type", "DependsOn", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy", "Connectors"),
)
RESOURCE_REFUSED = {"Condition": "leave the function out, or in"}

_CODE = "functions are run from the folder; use CodeUri and Handler"
_NO_LAYERS = "install what the layer holds into this Python, and leave the key out"

GLOBAL_FUNCTION = (
    *("Handler", "Runtime", "CodeUri", "DeadLetterQueue", "Description", "MemorySize", "Timeout"),
    *("Environment", "ReservedConcurrentExecutions", "EventInvokeConfig"),
)
FUNCTION = (*GLOBAL_FUNCTION, "FunctionName", "Events", "PackageType")
FUNCTION_IGNORED = (
    *("Architectures", "AssumeRolePolicyDocument", "AutoPublishAlias", "CodeSigningConfigArn"),
    *("AutoPublishAliasAllProperties", "AutoPublishCodeSha256", "DeploymentPreference", "Tags"),
    *("EphemeralStorage", "KmsKeyArn", "PermissionsBoundary", "Policies", "PropagateTags", "Role"),
    *("ProvisionedConcurrencyConfig", "RecursiveLoop", "RolePath", "RuntimeManagementConfig"),
    *("SnapStart", "SourceKMSKeyArn", "Tracing", "VersionDescription", "VersionDeletionPolicy"),
    *("VpcConfig", "PublishToLatestPublished"),
)
FUNCTION_REFUSED = {
    "InlineCode": _CODE,
    "ImageConfig": _CODE,
    "ImageUri": _CODE,
    "Layers": _NO_LAYERS,
    "FileSystemConfigs": "mount the folder on this machine",
    "FunctionUrlConfig": "use an HttpApi event",
    "LoggingConfig": "log lines have one form here",
}
INVOKE = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")

GLOBALS_IGNORED = ("SimpleTable", "LayerVersion")

_OPEN = "HTTP endpoints are plain here; leave it out, and do it in the handler"
API_IGNORED = (
    *("AccessLogSetting", "AccessLogSettings", "AlwaysDeploy", "CacheClusterEnabled", "Name"),
    *("CacheClusterSize", "CanarySetting", "DefaultRouteSettings", "Description", "Domain"),
    *("EndpointConfiguration", "MethodSettings", "OpenApiVersion", "PropagateTags", "Tags"),
    *(
        "RouteSettings",
        "StageName",
        "StageVariables",
        "TracingEnabled",
        "DisableExecuteApiEndpoint",
    ),
    *("MergeDefinitions", "FailOnWarnings"),
)
API_REFUSED = dict.fromkeys(
    (
        *("Auth", "Cors", "CorsConfiguration", "BinaryMediaTypes", "GatewayResponses", "Models"),
        *("ApiKeySourceType", "DefinitionBody", "DefinitionUri", "MinimumCompressionSize", "Mode"),
    ),
    _OPEN,
)

_AS_FUNCTION = "only AWS::Serverless::Function is run here"
RESOURCES_REFUSED = {
    "AWS::Lambda::Function": _AS_FUNCTION,
    "AWS::Lambda::EventSourceMapping": "use an event of the function",
    "AWS::Lambda::EventInvokeConfig": "use EventInvokeConfig of the function",
    "AWS::Lambda::Url": "use an HttpApi event",
    "AWS::IoT::TopicRule": "use an IoTRule event of the function",
    "AWS::Events::Rule": "use a Schedule event of the function",
    "AWS::Scheduler::Schedule": "use a ScheduleV2 event of the function",
    "AWS::Serverless::Application": _AS_FUNCTION,
    "AWS::Serverless::StateMachine": _AS_FUNCTION,
    "AWS::Serverless::WebFunction": _AS_FUNCTION,
}
"""Resources that would run something on AWS, and would silently run nothing here."""

"""The keys of a serverless.yml: those that are read, those that AWS alone heeds, those refused.

From the Serverless Framework's documentation, "Serverless.yml Reference". `..._IGNORED`: they
concern deployment, permissions or AWS services; nothing here would be different with them.
`..._REFUSED`: they would change what happens; each with what to do instead.
"""

ROOT = ("service", "provider", "functions", "custom", "resources", "package", "plugins", "params")
ROOT_IGNORED = (
    *("frameworkVersion", "configValidationMode", "deprecationNotificationMode", "org", "app"),
    *("disabledDeprecations", "variablesResolutionMode", "projectDir", "console", "tenant"),
    *("unresolvedVariablesNotificationMode", "enableLocalInstallationFallback"),
)
NO_LAYERS = "install what the layer holds into this Python, and leave the key out"
ROOT_REFUSED = {
    "layers": NO_LAYERS,
    "useDotenv": "set the variables in the environment that the runtime is started in",
}
PLUGINS_IGNORED = ("serverless-python-requirements", "serverless-offline")
"""Plugins whose work is packing and trying out; any other may change anything."""

PROVIDER = (
    *("name", "runtime", "region", "stage", "timeout", "memorySize", "environment"),
    *("httpApi", "apiGateway", "logs", "stackName"),
)
PROVIDER_IGNORED = (
    *("alb", "apiName", "architecture", "cfnRole", "cloudFront", "deploymentBucket", "kinesis"),
    *("deploymentMethod", "deploymentPrefix", "disableRollback", "ecr", "endpointType"),
    *("eventBridge", "iam", "iamManagedPolicies", "iamRoleStatements", "kmsKeyArn", "profile"),
    *("lambdaHashingVersion", "logDataProtectionPolicy", "logRetentionInDays", "role", "tags"),
    *("notificationArns", "rolePermissionsBoundary", "rollbackConfiguration", "stackParameters"),
    *("runtimeManagement", "stackPolicy", "stackTags", "tracing", "versionFunctions", "vpc"),
    *("vpcEndpointIds", "websocket", "websocketsApiName", "websocketsApiRouteSelectionExpression"),
    *("websocketsDescription", "credentials", "versionFunction", "variableSyntax"),
)
HTTP_API_IGNORED = (
    *("id", "name", "description", "metrics", "useProviderTags", "disableDefaultEndpoint"),
    "shouldStartNameWithService",
)
NOT_OF_AN_API = "HTTP endpoints are plain here; leave it out, and do it in the handler"
HTTP_API_REFUSED = {"cors": NOT_OF_AN_API, "authorizers": NOT_OF_AN_API}
API_GATEWAY_IGNORED = (
    *("description", "disableDefaultEndpoint", "metrics", "restApiId", "restApiResources"),
    *("restApiRootResourceId", "shouldStartNameWithService", "stage", "websocketApiId"),
)
API_GATEWAY_REFUSED = dict.fromkeys(
    (
        *("apiKeys", "apiKeySourceType", "binaryMediaTypes", "minimumCompressionSize"),
        *("resourcePolicy", "request", "timeoutInMillis", "usagePlan"),
    ),
    NOT_OF_AN_API,
)
PACKAGE_IGNORED = (
    *("patterns", "individually", "include", "exclude", "excludeDevDependencies", "path"),
)
PACKAGE_REFUSED = {"artifact": "functions are run from the folder, not from an archive"}
LOGS_IGNORED = ("restApi", "websocket", "httpApi", "frameworkLambda")
LOGS_REFUSED = {"lambda": "log lines have one form here"}

FUNCTION = (
    *("handler", "name", "description", "timeout", "memorySize", "environment", "runtime"),
    *("reservedConcurrency", "maximumRetryAttempts", "maximumEventAge", "onError"),
    *("destinations", "events", "httpApi", "package"),
)
FUNCTION_IGNORED = (
    *("architecture", "awsKmsKeyArn", "dependsOn", "ephemeralStorageSize", "kmsKeyArn", "role"),
    *("logDataProtectionPolicy", "logRetentionInDays", "provisionedConcurrency", "recursiveLoop"),
    *("runtimeManagement", "snapStart", "tags", "tracing", "versionFunction", "vpc"),
)
FUNCTION_REFUSED = {
    "layers": NO_LAYERS,
    "image": "functions are run from the folder, not from an image; use handler",
    "url": "use an httpApi event",
    "fileSystemConfig": "mount the folder on this machine",
    "condition": "leave the function out, or in",
    "disableLogs": "log lines are always written here",
    "logs": "log lines have one form here",
}

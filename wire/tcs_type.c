/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tcs_type.h"

#include <string.h>

static const char *const names[TCS_TYPE_COUNT] = {
	[TCS_HEARTBEAT] = "HeartbeatMessage",
	[TCS_START_SESSION] = "StartTelemetrySessionRequest",
	[TCS_STOP_SESSION] = "StopTelemetrySessionMessage",
	[TCS_PUBLISH_METRICS] = "PublishMetricsRequest",
	[TCS_PUBLISH_HEALTH] = "PublishHealthRequest",
	[TCS_PUBLISH_INSTANCE_STATUS] = "PublishInstanceStatusRequest",
	[TCS_ACK_METRICS] = "AckPublishMetric",
	[TCS_ACK_HEALTH] = "AckPublishHealth",
	[TCS_ACK_INSTANCE_STATUS] = "AckPublishInstanceStatus",
	[TCS_SERVER_EXCEPTION] = "ServerException",
	[TCS_BAD_REQUEST_EXCEPTION] = "BadRequestException",
	[TCS_RESOURCE_VALIDATION_EXCEPTION] = "ResourceValidationException",
	[TCS_INVALID_PARAMETER_EXCEPTION] = "InvalidParameterException",
};

const char *tcs_type_name(enum tcs_type type)
{
	return (unsigned int)type < TCS_TYPE_COUNT ? names[type] : "?";
}

bool tcs_type_parse(const char *name, enum tcs_type *ret)
{
	for (unsigned int i = 0; i < TCS_TYPE_COUNT; i++) {
		if (strcmp(names[i], name) == 0) {
			*ret = (enum tcs_type)i;
			return true;
		}
	}
	return false;
}

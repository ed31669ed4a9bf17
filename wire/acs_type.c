/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/acs_type.h"

#include <string.h>

static const char *const names[ACS_TYPE_COUNT] = {
	[ACS_HEARTBEAT] = "HeartbeatMessage",
	[ACS_HEARTBEAT_ACK] = "HeartbeatAckRequest",
	[ACS_PAYLOAD] = "PayloadMessage",
	[ACS_ACK] = "AckRequest",
	[ACS_NACK] = "NackRequest",
	[ACS_CREDENTIALS] = "IAMRoleCredentialsMessage",
	[ACS_CREDENTIALS_ACK] = "IAMRoleCredentialsAckRequest",
	[ACS_ATTACH_TASK_INTERFACES] = "AttachTaskNetworkInterfacesMessage",
	[ACS_ATTACH_INSTANCE_INTERFACES] = "AttachInstanceNetworkInterfacesMessage",
	[ACS_CONFIRM_ATTACHMENT] = "ConfirmAttachmentMessage",
	[ACS_MANIFEST] = "TaskManifestMessage",
	[ACS_STOP_VERIFICATION] = "TaskStopVerificationMessage",
	[ACS_STOP_VERIFICATION_ACK] = "TaskStopVerificationAck",
	[ACS_STAGE_UPDATE] = "StageUpdateMessage",
	[ACS_PERFORM_UPDATE] = "PerformUpdateMessage",
	[ACS_NETWORK] = "BerthNetworkMessage",
	[ACS_CLOSE] = "CloseMessage",
	[ACS_ERROR] = "ErrorMessage",
	[ACS_SERVER_EXCEPTION] = "ServerException",
	[ACS_BAD_REQUEST_EXCEPTION] = "BadRequestException",
	[ACS_INVALID_CLUSTER_EXCEPTION] = "InvalidClusterException",
	[ACS_INVALID_INSTANCE_EXCEPTION] = "InvalidInstanceException",
	[ACS_ACCESS_DENIED_EXCEPTION] = "AccessDeniedException",
	[ACS_INACTIVE_INSTANCE_EXCEPTION] = "InactiveInstanceException",
};

const char *acs_type_name(enum acs_type type)
{
	return (unsigned int)type < ACS_TYPE_COUNT ? names[type] : "?";
}

bool acs_type_parse(const char *name, enum acs_type *ret)
{
	for (unsigned int i = 0; i < ACS_TYPE_COUNT; i++) {
		if (strcmp(names[i], name) == 0) {
			*ret = (enum acs_type)i;
			return true;
		}
	}
	return false;
}

bool acs_type_is_error(enum acs_type type)
{
	return type >= ACS_ERROR && type < ACS_TYPE_COUNT;
}

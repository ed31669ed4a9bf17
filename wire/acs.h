/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_ACS_H
#define BERTH_WIRE_ACS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/acs_network.h"
#include "wire/credentials.h"
#include "wire/eni.h"
#include "wire/task.h"

/* A message's text: more is refused before it is parsed. */
#define ACS_MESSAGE_LIMIT ((size_t)4 * 1024 * 1024)

/* Tasks in one payload, entries in a manifest: more are refused. */
#define ACS_TASK_LIMIT 10000

/* The default of ConfirmAttachmentMessage.waitTimeoutMs. */
#define ACS_CONFIRM_WAIT_DEFAULT_MS 300000

/* Every type of the protocol, both directions. */
enum acs_type {
	ACS_HEARTBEAT,                  /* HeartbeatMessage */
	ACS_HEARTBEAT_ACK,              /* HeartbeatAckRequest */
	ACS_PAYLOAD,                    /* PayloadMessage */
	ACS_ACK,                        /* AckRequest */
	ACS_NACK,                       /* NackRequest */
	ACS_CREDENTIALS,                /* IAMRoleCredentialsMessage */
	ACS_CREDENTIALS_ACK,            /* IAMRoleCredentialsAckRequest */
	ACS_ATTACH_TASK_INTERFACES,     /* AttachTaskNetworkInterfacesMessage */
	ACS_ATTACH_INSTANCE_INTERFACES, /* AttachInstanceNetworkInterfacesMessage */
	ACS_CONFIRM_ATTACHMENT,         /* ConfirmAttachmentMessage */
	ACS_MANIFEST,                   /* TaskManifestMessage */
	ACS_STOP_VERIFICATION,          /* TaskStopVerificationMessage */
	ACS_STOP_VERIFICATION_ACK,      /* TaskStopVerificationAck */
	ACS_STAGE_UPDATE,               /* StageUpdateMessage */
	ACS_PERFORM_UPDATE,             /* PerformUpdateMessage */
	ACS_NETWORK,                    /* BerthNetworkMessage: Berth's own, see acs_network.h */
	ACS_CLOSE,                      /* CloseMessage */
	ACS_ERROR,                      /* ErrorMessage; the exceptions follow */
	ACS_SERVER_EXCEPTION,
	ACS_BAD_REQUEST_EXCEPTION,
	ACS_INVALID_CLUSTER_EXCEPTION,
	ACS_INVALID_INSTANCE_EXCEPTION,
	ACS_ACCESS_DENIED_EXCEPTION,
	ACS_INACTIVE_INSTANCE_EXCEPTION,
	ACS_TYPE_COUNT,
};

/* The name on the wire. Static. */
const char *acs_type_name(enum acs_type type);

/* One entry of a payload: either a task, or why it was refused. */
struct acs_task {
	struct task_spec *spec; /* NULL: refused. TAKE() it, or leave it to acs_message_free() */
	struct task_credentials credentials; /* likewise */
	const char *arn;   /* of a refused entry too; NULL when it has none (a null entry, empty) */
	const char *error; /* refused: the detail for task_refusal_reason() */
};

struct acs_task_identifier {
	const char *arn; /* never NULL */
	const char *cluster_arn;
	const char *desired_status; /* as given; "" when absent */
};

/* An empty or absent string of a message is NULL, unless said otherwise. */
struct acs_heartbeat {
	const char *message_id;
	bool healthy;
};

struct acs_payload {
	const char *message_id; /* these three are always there */
	const char *cluster_arn;
	const char *container_instance_arn;
	int64_t seq_num; /* 0 when absent */
	struct acs_task *tasks;
	size_t task_count;
	size_t refused_count; /* > 0: the payload must not be acknowledged */
};

struct acs_credentials {
	const char *message_id;
	const char *task_arn;
	enum credentials_role role;
	struct role_credentials *credentials; /* TAKE() it, or leave it */
};

struct acs_attach_interfaces {
	const char *message_id;
	const char *cluster_arn;
	const char *container_instance_arn;
	const char *task_arn; /* NULL: an interface of the instance */
	int64_t wait_timeout_ms;
	const struct eni_spec *enis;
	size_t eni_count;
};

struct acs_confirm_attachment {
	const char *message_id;
	const char *cluster_arn;
	const char *container_instance_arn;
	const char *task_arn;
	int64_t wait_timeout_ms; /* the default when absent */
	struct task_attachment attachment;
};

struct acs_manifest {
	const char *message_id;
	const char *cluster_arn;
	const char *container_instance_arn;
	int64_t timeline;
	const struct acs_task_identifier *tasks;
	size_t task_count;
};

/* TaskStopVerificationMessage (tasks = stopCandidates) and its Ack (tasks = stopTasks). */
struct acs_stop_verification {
	const char *message_id;
	const struct acs_task_identifier *tasks;
	size_t task_count;
};

/* StageUpdateMessage, PerformUpdateMessage: what is missing is refused by Nack, so it is no error
 * here. */
struct acs_update {
	const char *message_id;
	const char *cluster_arn;
	const char *container_instance_arn;
	bool has_update_info;
	const char *location;
	const char *signature;
};

/* AckRequest, NackRequest; HeartbeatAckRequest has only message_id. */
struct acs_ack {
	const char *cluster;
	const char *container_instance;
	const char *message_id;
	const char *reason; /* NackRequest */
};

struct acs_credentials_ack {
	const char *message_id;
	const char *credentials_id;
	const char *expiration;
};

struct acs_message {
	enum acs_type type;
	union {
		struct acs_heartbeat heartbeat;
		struct acs_payload payload;
		struct acs_credentials credentials;
		struct acs_attach_interfaces attach;
		struct acs_confirm_attachment confirm;
		struct acs_manifest manifest;
		struct acs_stop_verification stop_verification;
		struct acs_update update;
		struct acs_network network;
		struct acs_ack ack; /* ACS_ACK, ACS_NACK, ACS_HEARTBEAT_ACK */
		struct acs_credentials_ack credentials_ack;
		const char *
			text; /* ACS_CLOSE, ACS_ERROR and the exceptions: "message", perhaps NULL */
	};
	struct arena *arena;
};

/*
 * Decodes one message of either direction. Members are found in any case, unknown ones ignored.
 *
 * 0          *ret_message, to be freed with acs_message_free(). Types that need no answer are here
 * too. -ENOMSG    a type that nobody knows: drop; it is no sign of life. -EBADMSG   no message at
 * all (bad JSON, no "message", a member of the wrong type, too large): likewise drop. -EINVAL    a
 * known message that is refused (a required member is empty, ...): drop without an answer, but it
 *            is a sign of life.
 */
int acs_decode(const char *text, size_t size, struct acs_message **ret_message, struct error *err);

/* Whether the result of acs_decode() shows that the peer is alive (the heartbeat timer is
 * re-armed). */
bool acs_is_activity(int result);

void acs_message_free(struct acs_message *message);
DEFINE_CLEANUP(struct acs_message, acs_message_free);

/*
 * The text of a refused handshake, from its body: "InactiveInstanceException: gone" for
 * {"InactiveInstanceException":"gone"}, {"__type":"InactiveInstanceException","message":"gone"} or
 * the envelope of such a message. -EBADMSG: it is none of these.
 */
int acs_decode_refusal(const char *body, size_t size, enum acs_type *ret_type, char **ret_text,
		       struct error *err);

/*
 * Encoders: the whole envelope; the caller frees it. NULL strings are left out.
 */

/* Agent to control plane. */
char *acs_encode_ack(const char *cluster, const char *container_instance, const char *message_id);
char *acs_encode_nack(const char *cluster, const char *container_instance, const char *message_id,
		      const char *reason);
char *acs_encode_heartbeat_ack(const char *message_id);
char *acs_encode_credentials_ack(const char *message_id, const char *credentials_id,
				 const char *expiration);
/* `task_arns` are asked about as STOPPED, each with `cluster_arn`. */
char *acs_encode_stop_verification(const char *message_id, const char *cluster_arn,
				   const char *const *task_arns, size_t count);

/* Control plane to agent. */
char *acs_encode_heartbeat(const char *message_id, bool healthy);

struct acs_payload_out {
	const char *message_id;
	const char *cluster_arn;
	const char *container_instance_arn;
	int64_t seq_num;
	int64_t generated_at_ms;
	const char *const *tasks; /* the JSON text of each */
	size_t task_count;
};
char *acs_encode_payload(const struct acs_payload_out *payload);

/* An interface as the control plane gives it; the object is {...} of ElasticNetworkInterface. */
struct acs_eni_out {
	const char *attachment_arn;
	const char *ec2_id;
	const char *mac_address;
	const char *name;               /* may be NULL */
	const char *ipv4_address;       /* primary; NULL: none */
	const char *ipv4_gateway;       /* "10.0.0.1/24" */
	const char *ipv6_address;       /* may be NULL */
	const char *ipv6_gateway;       /* may be NULL */
	const char *private_dns_name;   /* may be NULL */
	const char *const *dns_servers; /* domainNameServers */
	size_t dns_server_count;
	const char *const *dns_search; /* domainName */
	size_t dns_search_count;
};
/* The interface alone, to stand in a task's elasticNetworkInterfaces. */
char *acs_encode_eni(const struct acs_eni_out *eni);

struct acs_attach_interfaces_out {
	const char *message_id;
	const char *cluster_arn;
	const char *container_instance_arn;
	const char *task_arn; /* NULL: AttachInstanceNetworkInterfacesMessage */
	int64_t wait_timeout_ms;
	int64_t generated_at_ms;
	const struct acs_eni_out *enis;
	size_t eni_count;
};
char *acs_encode_attach_interfaces(const struct acs_attach_interfaces_out *attach);

char *acs_encode_credentials(const char *message_id, const char *task_arn,
			     enum credentials_role role,
			     const struct role_credentials *credentials);
/* The credentials alone, to stand in a task's roleCredentials. */
char *acs_encode_role_credentials(const struct role_credentials *credentials);

char *acs_encode_manifest(const struct acs_manifest *manifest, int64_t generated_at_ms);
char *acs_encode_stop_verification_ack(const char *message_id, int64_t generated_at_ms,
				       const struct acs_task_identifier *tasks, size_t count);
/* CloseMessage, ErrorMessage and the exceptions. */
char *acs_encode_text(enum acs_type type, const char *text);

#endif

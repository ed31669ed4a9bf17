/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_WIRE_TCS_H
#define BERTH_WIRE_TCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/status.h"
#include "wire/text.h"

/* The inner request of one metrics message, and the tasks in one request: what does not fit goes to
 * the next. */
#define TCS_REQUEST_LIMIT     1048576
#define TCS_TASKS_PER_REQUEST 10
/* A frame's text with its header block: more is refused before it is parsed. */
#define TCS_MESSAGE_LIMIT ((size_t)4 * 1024 * 1024)

enum tcs_type {
	TCS_HEARTBEAT, /* HeartbeatMessage */
	TCS_START_SESSION,
	TCS_STOP_SESSION,
	TCS_PUBLISH_METRICS, /* PublishMetricsRequest */
	TCS_PUBLISH_HEALTH,
	TCS_PUBLISH_INSTANCE_STATUS,
	TCS_ACK_METRICS, /* AckPublishMetric, singular */
	TCS_ACK_HEALTH,
	TCS_ACK_INSTANCE_STATUS,
	TCS_SERVER_EXCEPTION,
	TCS_BAD_REQUEST_EXCEPTION,
	TCS_RESOURCE_VALIDATION_EXCEPTION,
	TCS_INVALID_PARAMETER_EXCEPTION,
	TCS_TYPE_COUNT,
};

/* The name on the wire. Static. */
const char *tcs_type_name(enum tcs_type type);

/* CPU in percent, memory in MiB, rates in bytes per second. */
struct tcs_double_set {
	double max;
	double min;
	double sum;
	int64_t sample_count;
};

/* Counters. What exceeds 2^63-1 is 2^63-1 with the rest in `overflow_*`. */
struct tcs_ulong_set {
	int64_t max, min, sum;
	int64_t overflow_max, overflow_min, overflow_sum;
	int64_t sample_count;
};

struct tcs_ulong_set tcs_ulong_set_of(uint64_t max, uint64_t min, uint64_t sum,
				      int64_t sample_count);

/* A set that is missing (its has_ flag is false) is left out. */
struct tcs_network_sets {
	bool has_bytes;
	struct tcs_ulong_set rx_bytes, rx_dropped, rx_errors, rx_packets;
	struct tcs_ulong_set tx_bytes, tx_dropped, tx_errors, tx_packets;
	bool has_rates;
	struct tcs_double_set rx_bytes_per_second, tx_bytes_per_second;
};

struct tcs_container_metric {
	const char *name;
	struct tcs_double_set cpu, memory; /* always sent */
	bool has_storage;
	struct tcs_ulong_set read_size_bytes, write_size_bytes;
	bool has_network;
	struct tcs_network_sets network;
	bool has_restarts;
	int64_t restart_count;
};

struct tcs_volume_metric {
	const char *volume_id;
	const char *volume_name;
	struct tcs_double_set utilized, size;
};

struct tcs_general_metric {
	const char *name;
	const double *values;
	const int64_t *counts;
	size_t value_count; /* of both */
};

struct tcs_general_metrics {
	struct text_map dimensions;
	const struct tcs_general_metric *metrics;
	size_t metric_count;
	const char *type; /* "1" ingress, "2" egress, "" */
};

struct tcs_task_metric {
	const char *task_arn;
	const char *family;
	const char *version;
	const struct tcs_container_metric *containers;
	size_t container_count;
	const struct tcs_volume_metric *volumes;
	size_t volume_count;
	const struct tcs_general_metrics *service_connect;
	size_t service_connect_count;
};

/* One interval's figures, as many tasks as there are. When decoded: one request. */
struct tcs_metrics {
	const char *cluster;
	const char *container_instance;
	const char *message_id;
	bool idle;
	bool fin;             /* decoded only */
	int64_t timestamp_ms; /* decoded only */
	const struct tcs_task_metric *tasks;
	size_t task_count;
};

struct tcs_container_health {
	const char *name;
	enum health_status status;
	int64_t status_since_ms;
};

struct tcs_task_health {
	const char *task_arn;
	const char *family;
	const char *version;
	const struct tcs_container_health *containers;
	size_t container_count;
};

struct tcs_health {
	const char *cluster;
	const char *container_instance;
	const char *message_id;
	bool fin;             /* decoded only */
	int64_t timestamp_ms; /* decoded only */
	const struct tcs_task_health *tasks;
	size_t task_count;
};

struct tcs_instance_check {
	const char *type;          /* "ContainerRuntime" */
	const char *status;        /* "OK", "IMPAIRED", "INITIALIZING", "INSUFFICIENT_DATA" */
	const char *status_reason; /* NULL: not told */
	bool has_last_updated;
	int64_t last_updated_ms;
	bool has_last_status_change;
	int64_t last_status_change_ms;
};

struct tcs_instance_status {
	const char *cluster;
	const char *container_instance;
	const char *request_id;
	int64_t timestamp_ms; /* decoded only */
	const struct tcs_instance_check *checks;
	size_t check_count;
};

/* Whole envelopes, without header blocks, in the order of sending. */
struct tcs_requests {
	char **items;
	size_t count;
};
void tcs_requests_clear(struct tcs_requests *requests);
/* Takes the envelope `index` out; the caller frees it. */
char *tcs_requests_take(struct tcs_requests *requests, size_t index);

/*
 * The requests of one interval, at most 10 tasks and 1 MiB each, `fin` on the last: `now_ms` (wall
 * time, of sending) is their timestamp. Idle: one request without tasks. Not idle and no tasks:
 * none.
 */
void tcs_encode_metrics(const struct tcs_metrics *metrics, int64_t now_ms,
			struct tcs_requests *ret);

/* At most 10 tasks each; none when there are no tasks. */
void tcs_encode_health(const struct tcs_health *health, int64_t now_ms, struct tcs_requests *ret);

/* The caller frees it. */
char *tcs_encode_instance_status(const struct tcs_instance_status *status, int64_t now_ms);

/* Control plane to agent: {"type":...,"message":{"message":text}}; the caller frees it. */
char *tcs_encode_text(enum tcs_type type, const char *text);
char *tcs_encode_heartbeat(bool healthy);

struct tcs_message {
	enum tcs_type type;
	union {
		bool healthy; /* TCS_HEARTBEAT */
		struct tcs_metrics metrics;
		struct tcs_health health;
		struct tcs_instance_status instance_status;
		struct {
			const char *cluster;
			const char *container_instance;
		} start_session;
		const char *text; /* acks and exceptions: "message", perhaps NULL */
	};
	struct arena *arena;
};

/* Decodes one envelope of either direction; results as of acs_decode(). */
int tcs_decode(const char *text, size_t size, struct tcs_message **ret_message, struct error *err);
void tcs_message_free(struct tcs_message *message);
DEFINE_CLEANUP(struct tcs_message, tcs_message_free);

/* A frame from an agent: "Name: value\r\n"... "\r\n" envelope. All point into the frame. */
struct tcs_frame {
	const char *headers; /* with the \r\n of the last header, without the empty line */
	size_t headers_size;
	const char *body; /* what the signature covers */
	size_t body_size;
};

/* Splits at the first empty line. -EBADMSG: there is none, or a header line is no "Name: value". */
int tcs_frame_split(const char *text, size_t size, struct tcs_frame *ret, struct error *err);

/* The value of header `name` (any case) in a split frame, copied; NULL when it is not there. Caller
 * frees. */
char *tcs_frame_header(const struct tcs_frame *frame, const char *name);

#endif

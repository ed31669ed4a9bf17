/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent publishes of its host: the checks of PublishInstanceStatusRequest. */
#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "control-plane/services/private.h"
#include "control-plane/services/report.h"
#include "control-plane/store/container_instances.h"
#include "wire/tcs.h"
#include "wire/writer.h"

#define REASON_MAX 1024 /* bytes */

/* The checks that the API knows, under its own names. Others are not shown. */
static const struct {
	const char *published, *shown;
} types[] = {
	{ "ContainerRuntime", "CONTAINER_RUNTIME" },
	{ "ACCELERATED_COMPUTE", "ACCELERATED_COMPUTE" },
	{ "EBSDaemon", "DAEMON" },
};

/* The worst first: the instance is as its worst check is. */
static const char *const statuses[] = { "IMPAIRED", "INSUFFICIENT_DATA", "INITIALIZING", "OK" };

enum {
	TYPES = sizeof(types) / sizeof(types[0]),
	STATUSES = sizeof(statuses) / sizeof(statuses[0])
};

/* What nobody knows says nothing. */
static size_t rank_of(const char *status)
{
	for (size_t i = 0; i < STATUSES; i++)
		if (str_eq(status, statuses[i]))
			return i;
	return 1;
}

/* The last one of a type counts. */
static const struct tcs_instance_check *find_check(const struct tcs_instance_status *status,
						   const char *type)
{
	for (size_t i = status->check_count; i > 0; i--)
		if (str_eq(status->checks[i - 1].type, type))
			return &status->checks[i - 1];
	return NULL;
}

/* `details` of healthStatus, and the rank of the worst. */
static char *details_text(const struct tcs_instance_status *status, size_t *ret_rank)
{
	struct strbuf text = STRBUF_INIT;
	struct writer writer = writer_to(&text);
	size_t worst = STATUSES;

	write_list(&writer, NULL);
	for (size_t i = 0; i < TYPES; i++) {
		const struct tcs_instance_check *check = find_check(status, types[i].published);
		size_t rank;

		if (!check)
			continue;
		rank = rank_of(check->status);
		worst = rank < worst ? rank : worst;
		write_object(&writer, NULL);
		if (check->has_last_status_change)
			write_epoch(&writer, "lastStatusChange", check->last_status_change_ms);
		if (check->has_last_updated)
			write_epoch(&writer, "lastUpdated", check->last_updated_ms);
		write_text(&writer, "status", statuses[rank]);
		write_text_cut(&writer, "statusReason", check->status_reason, REASON_MAX);
		write_text(&writer, "type", types[i].shown);
		write_object_end(&writer);
	}
	write_list_end(&writer);
	*ret_rank = worst;
	return strbuf_take(&text);
}

void services_report_instance_status(struct services *services, const char *instance_arn,
				     const struct tcs_instance_status *status)
{
	_cleanup_(arn_clear) struct arn arn = { 0 };
	_cleanup_free_ char *details = NULL;
	struct error err = ERROR_INIT;
	size_t rank;
	int r;

	details = details_text(status, &rank);
	if (rank == STATUSES)
		return;
	r = arn_parse(instance_arn, &arn, &err);
	if (r == 0 && arn.cluster)
		r = container_instance_set_health(services->store, arn.cluster, arn.id,
						  statuses[rank], details, &err);
	if (r < 0)
		log_error("the health of an instance could not be written", "instance",
			  instance_arn, "error", err.text);
}

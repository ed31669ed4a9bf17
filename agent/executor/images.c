/* SPDX-License-Identifier: Apache-2.0 */
/* PULL_IMAGE: by the pull behaviour, with the registry's credentials and scheme. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/executor/live.h"
#include "agent/executor/plan.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "base/str.h"
#include "runtime/image_reference.h"

struct pull {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	size_t index;
	char *reference;
	char *name;     /* of the failed pull, when a local image is looked for instead */
	char *error;    /* likewise */
	bool succeeded; /* it was asked for and came, not only found here */
	int64_t logged_bytes;
};

/* The behaviour "once" means once on this host, not once in this process. */
static bool pulled_before(struct executor *executor, const char *reference)
{
	_cleanup_free_ char *name = image_name_complete(reference);
	struct error err = ERROR_INIT;
	bool pulled = false;

	if (store_image_was_pulled(executor->config.store, name, &pulled, &err) < 0)
		log_warn("whether an image was pulled before cannot be read: it is pulled", "image",
			 reference, "error", err.text);
	return pulled;
}

static void pull_free(void *data)
{
	struct pull *pull = data;

	operation_end(&pull->operation);
	address_free(&pull->address);
	task_spec_unref(pull->spec);
	free(pull->reference);
	free(pull->name);
	free(pull->error);
	free(pull);
}

int image_stop_signal(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} names[] = { { "HUP", SIGHUP },   { "INT", SIGINT },     { "QUIT", SIGQUIT },
		      { "ABRT", SIGABRT }, { "KILL", SIGKILL },   { "USR1", SIGUSR1 },
		      { "USR2", SIGUSR2 }, { "TERM", SIGTERM },   { "CONT", SIGCONT },
		      { "STOP", SIGSTOP }, { "WINCH", SIGWINCH }, { "PWR", SIGPWR } };
	int64_t number;
	int offset;

	if (str_is_empty(text))
		return 0;
	if (number_parse_i64(text, 1, SIGRTMAX, &number, NULL) == 0)
		return (int)number;
	if (str_starts_with_nocase(text, "SIG"))
		text += 3;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_eq_nocase(text, names[i].name))
			return names[i].number;
	}
	if (str_starts_with_nocase(text, "RTMIN")) {
		text += 5;
		offset = *text == '+' && number_parse_i64(text + 1, 0, SIGRTMAX - SIGRTMIN, &number,
							  NULL) == 0
				 ? (int)number
				 : 0;
		return SIGRTMIN + offset;
	}
	return 0;
}

/* The first half of a pull asks for the manifest: what fails there is named after it. */
static const char *failure_name(enum image_failure failure)
{
	switch (failure) {
	case IMAGE_NOT_FOUND:
	case IMAGE_UNAUTHORIZED:
	case IMAGE_UNREACHABLE:
	case IMAGE_BAD_REFERENCE:
		return "CannotPullImageManifestError";
	case IMAGE_TIMEOUT:
		return "DockerTimeoutError";
	default:
		return "CannotPullContainerError";
	}
}

/* Before the task knows that it has the image. */
static void track(struct pull *pull, const struct image *image)
{
	const struct store_image_seen seen = {
		.name = image->reference,
		.id = image->id,
		.digest = str_is_empty(image->digest) ? NULL : image->digest,
		.size_bytes = image->size,
		.at_ms = clock_wall_ms(),
		.pull_succeeded = pull->succeeded,
	};
	struct error err = ERROR_INIT;

	if (store_track_image(pull->executor->config.store, &seen, &err) < 0)
		log_error("the use of an image cannot be saved: it will not be removed when nobody "
			  "needs it, and is pulled again",
			  "image", pull->reference, "error", err.text);
}

static void finish(struct pull *pull, const struct image *image)
{
	struct live_container *container =
		live_container_get(pull->executor, pull->spec, pull->index);
	const struct container_spec *spec = live_container_spec(container);
	struct engine_done done = {
		.error_name = pull->name,
		.error_text = pull->error,
		.image = { .digest = str_is_empty(image->digest) ? NULL : image->digest,
			   .id = image->id },
	};

	track(pull, image);
	done.image.stop_signal = image_stop_signal(
		spec->docker.stop_signal ? spec->docker.stop_signal : image->stop_signal);
	if (container->image)
		image_unref(container->image);
	container->image = image_ref(image);
	answer(pull->executor, &pull->address, done);
	pull_free(pull);
}

/* What the task is told of it. */
static struct error explain(const struct pull *pull, enum image_failure failure,
			    const struct error *err)
{
	struct error told = *err;

	if (failure == IMAGE_TIMEOUT)
		say_timed_out(&told, "pulled",
			      pull->executor->config.config->image_pull_timeout_ms);
	return told;
}

static void fail(struct pull *pull, enum image_failure failure, const struct error *err)
{
	const struct error told = explain(pull, failure, err);

	answer_failed(pull->executor, &pull->address, failure_name(failure), &told);
	pull_free(pull);
}

static void start_pull(struct pull *pull);

static void inspected(void *data, const struct image_result *result)
{
	struct pull *pull = data;

	if (result->failure == IMAGE_OK) {
		finish(pull, result->image);
	} else if (pull->error) {
		/* There is no local image either: what the registry said is the reason. */
		struct error first;

		error_say(&first, EIO, "%s", pull->error);
		answer_failed(pull->executor, &pull->address, pull->name, &first);
		pull_free(pull);
	} else if (result->failure == IMAGE_NOT_FOUND) {
		start_pull(pull);
	} else {
		fail(pull, result->failure, result->err);
	}
}

static void inspect(struct pull *pull)
{
	struct error err = ERROR_INIT;

	if (image_inspect(pull->executor->images, pull->reference, inspected, pull, NULL, &err) < 0)
		fail(pull, IMAGE_BAD_REFERENCE, &err);
}

static void pulled(void *data, const struct image_result *result)
{
	struct pull *pull = data;
	enum config_pull_behavior behavior = pull->executor->config.config->image_pull_behavior;
	struct error told;

	if (result->failure == IMAGE_OK) {
		log_info("image pulled", "image", pull->reference, "digest", result->image->digest,
			 "task", pull->address.task_id);
		pull->succeeded = true;
		finish(pull, result->image);
		return;
	}
	if (behavior != CONFIG_PULL_DEFAULT || result->failure == IMAGE_WRONG_PLATFORM) {
		fail(pull, result->failure, result->err);
		return;
	}
	told = explain(pull, result->failure, result->err);
	pull->name = xstrdup(failure_name(result->failure));
	pull->error = xstrdup(told.text);
	inspect(pull);
}

static void progressed(void *data, const struct image_progress *progress)
{
	struct pull *pull = data;
	const int64_t step = 16 * 1024 * 1024;

	if (progress->bytes_done < pull->logged_bytes + step)
		return;
	pull->logged_bytes = progress->bytes_done;
	log_info("image pull goes on", "image", pull->reference, "state", progress->state,
		 "bytes_done", LOG_NUM(progress->bytes_done), "bytes_total",
		 LOG_NUM(progress->bytes_total));
}

static bool is_insecure(const struct agent_config *config, const char *reference)
{
	for (size_t i = 0; i < config->insecure_registries.count; i++) {
		const char *host = config->insecure_registries.items[i];
		size_t length = strlen(host);

		if (strncmp(reference, host, length) == 0 && reference[length] == '/')
			return true;
	}
	return false;
}

static void start_pull(struct pull *pull)
{
	const struct agent_config *config = pull->executor->config.config;
	_cleanup_free_ char *user = NULL;
	_cleanup_free_ char *password = NULL;
	struct image_pull_request request = {
		.reference = pull->reference,
		.timeout_ms = config->image_pull_timeout_ms,
		.inactivity_timeout_ms = config->image_pull_inactivity_timeout_ms,
		.on_progress = progressed,
		.on_done = pulled,
		.data = pull,
	};
	struct error err = ERROR_INIT;

	if (config_registry_auth(config, pull->reference, &user, &password)) {
		request.registry.user = user;
		request.registry.password = password;
	}
	if (is_insecure(config, pull->reference))
		request.registry.scheme = REGISTRY_SCHEME_HTTP;
	else if (!str_is_empty(config->registry_ca_file)) {
		request.registry.scheme = REGISTRY_SCHEME_HTTPS;
		request.registry.ca_file = config->registry_ca_file;
	}
	if (image_pull(pull->executor->images, &request, NULL, &err) < 0)
		fail(pull, IMAGE_BAD_REFERENCE, &err);
}

void act_pull(struct executor *executor, const struct engine_effect *effect)
{
	struct pull *pull = xcalloc(1, sizeof(*pull));
	enum config_pull_behavior behavior = executor->config.config->image_pull_behavior;
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	const char *unsupported = plan_unsupported(effect->spec, arena);
	const struct image *cached;

	pull->executor = executor;
	operation_begin(executor->operations, &pull->operation, pull_free, pull);
	pull->address = address_of(effect);
	pull->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	pull->index = effect->container_index;
	pull->reference = xstrdup(effect->pull.reference);
	if (unsupported) {
		struct error err;

		error_say(&err, ENOTSUP, "%s", unsupported);
		fail(pull, IMAGE_FAILED, &err);
		return;
	}
	if (behavior == CONFIG_PULL_PREFER_CACHED ||
	    (behavior == CONFIG_PULL_ONCE && pulled_before(executor, pull->reference))) {
		cached = image_cached(executor->images, pull->reference);
		if (cached)
			finish(pull, cached);
		else
			inspect(pull);
		return;
	}
	start_pull(pull);
}

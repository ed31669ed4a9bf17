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
#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "base/random.h"
#include "base/str.h"
#include "runtime/image_reference.h"

#define PULL_TRIES 5

static const struct backoff_policy between_tries = {
	.min_ms = 1100, .max_ms = 5000, .multiplier = 2, .jitter = 0.2
};

struct pull {
	struct operation operation;
	struct executor *executor;
	struct address address;
	struct task_spec *spec;
	size_t index;
	char *reference;
	int tries;
	enum image_failure failure; /* of the last one */
	char *name, *error;         /* what the task is told of it; NULL: nothing has failed */
	bool falls_back;            /* to a local image is being looked, the registry has failed */
	int64_t deadline_ms;        /* monotonic: of all tries together */
	struct backoff backoff;
	struct loop_timer *wait; /* until the next one */
	bool succeeded;          /* it was asked for and came, not only found here */
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
	loop_timer_free(pull->wait);
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

static void begin(struct pull *pull);
static void start_pull(struct pull *pull);

static void keep_failure(struct pull *pull, enum image_failure failure, const struct error *err)
{
	const struct error told = explain(pull, failure, err);

	pull->failure = failure;
	str_replace(&pull->name, failure_name(failure));
	str_replace(&pull->error, told.text);
}

static void forget_failure(struct pull *pull)
{
	pull->failure = IMAGE_OK;
	str_replace(&pull->name, NULL);
	str_replace(&pull->error, NULL);
}

static void fail_as_kept(struct pull *pull)
{
	struct error last;

	error_say(&last, EIO, "%s", pull->error);
	answer_failed(pull->executor, &pull->address, pull->name, &last);
	pull_free(pull);
}

/* The same may go well a few seconds later. */
static bool may_pass(enum image_failure failure)
{
	switch (failure) {
	case IMAGE_UNREACHABLE:
	case IMAGE_STALLED:
	case IMAGE_NO_CONTAINERD:
	case IMAGE_CORRUPT:
	case IMAGE_FAILED:
		return true;
	default:
		return false;
	}
}

static bool is_wanted(const struct pull *pull)
{
	const struct container_state *state =
		live_container_state(live_container_get(pull->executor, pull->spec, pull->index));

	return state && state->desired != CONTAINER_STATUS_STOPPED;
}

static void try_again(void *data)
{
	struct pull *pull = data;

	if (is_wanted(pull))
		begin(pull);
	else
		fail_as_kept(pull);
}

/* There is no image from the registry, nor is one here. */
static void wait_or_give_up(struct pull *pull)
{
	int64_t wait_ms = config_scaled_ms(pull->executor->config.config,
					   backoff_next_ms(&pull->backoff, random_unit()));

	if (may_pass(pull->failure) && pull->tries < PULL_TRIES && is_wanted(pull) &&
	    clock_monotonic_ms() + wait_ms < pull->deadline_ms) {
		log_warn("an image could not be pulled, and is tried again", "image",
			 pull->reference, "task", pull->address.task_id, "tries",
			 LOG_NUM(pull->tries), "wait_ms", LOG_NUM(wait_ms), "error", pull->error);
		if (!pull->wait)
			pull->wait = loop_timer_new(pull->executor->config.loop, try_again, pull);
		loop_timer_start(pull->wait, wait_ms);
		return;
	}
	fail_as_kept(pull);
}

static void inspected(void *data, const struct image_result *result)
{
	struct pull *pull = data;

	if (result->failure == IMAGE_OK) {
		if (!pull->falls_back)
			forget_failure(pull);
		finish(pull, result->image);
	} else if (!pull->falls_back && result->failure == IMAGE_NOT_FOUND) {
		start_pull(pull);
	} else {
		/* What the registry said is the reason. */
		if (!pull->falls_back)
			keep_failure(pull, result->failure, result->err);
		wait_or_give_up(pull);
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

	if (result->failure == IMAGE_OK) {
		log_info("image pulled", "image", pull->reference, "digest", result->image->digest,
			 "task", pull->address.task_id);
		pull->succeeded = true;
		forget_failure(pull);
		finish(pull, result->image);
		return;
	}
	keep_failure(pull, result->failure, result->err);
	/* With one that is here there is no need to wait; without containerd none is. */
	pull->falls_back = behavior == CONFIG_PULL_DEFAULT &&
			   result->failure != IMAGE_WRONG_PLATFORM &&
			   result->failure != IMAGE_NO_CONTAINERD;
	if (pull->falls_back)
		inspect(pull);
	else
		wait_or_give_up(pull);
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
		.timeout_ms = pull->deadline_ms - clock_monotonic_ms(),
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
	pull->logged_bytes = 0;
	if (request.timeout_ms < 1)
		request.timeout_ms = 1;
	if (image_pull(pull->executor->images, &request, NULL, &err) < 0)
		fail(pull, IMAGE_BAD_REFERENCE, &err);
}

/* One try. */
static void begin(struct pull *pull)
{
	struct executor *executor = pull->executor;
	enum config_pull_behavior behavior = executor->config.config->image_pull_behavior;
	const struct image *cached;

	pull->tries++;
	pull->falls_back = false;
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

void act_pull(struct executor *executor, const struct engine_effect *effect)
{
	struct pull *pull = xcalloc(1, sizeof(*pull));
	_cleanup_(arena_free_cleanup) struct arena *arena = arena_new();
	const char *unsupported = plan_unsupported(effect->spec, arena);

	pull->executor = executor;
	operation_begin(executor->operations, &pull->operation, pull_free, pull);
	pull->address = address_of(effect);
	pull->spec = task_spec_ref((struct task_spec *)(uintptr_t)effect->spec);
	pull->index = effect->container_index;
	pull->reference = xstrdup(effect->pull.reference);
	pull->deadline_ms = clock_monotonic_ms() + executor->config.config->image_pull_timeout_ms;
	backoff_reset(&pull->backoff, &between_tries);
	if (unsupported) {
		struct error err;

		error_say(&err, ENOTSUP, "%s", unsupported);
		fail(pull, IMAGE_FAILED, &err);
		return;
	}
	begin(pull);
}

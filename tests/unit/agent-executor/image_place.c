/* SPDX-License-Identifier: Apache-2.0 */
#include "image_place.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

struct image_place place;

/*
 * Its images are lines of the file `images`, what it did are lines of `done`. What is named in
 * `busy` it cannot remove. While there is a file `hold` it waits before it removes a name, with a
 * file `holding`. Configurations are in `blobs`.
 */
static const char fake_ctr[] =
	"#!/bin/sh\n"
	"cd \"$(dirname \"$0\")\" || exit 1\n"
	"shift 4\n"
	"case \"$1 $2\" in\n"
	"\"images ls\")\n"
	"	echo 'REF TYPE DIGEST SIZE PLATFORMS LABELS'\n"
	"	case \"$3\" in name==*) name=${3#name==?} grep -F \"${name%?} \" images;; *) cat "
	"images;; esac\n"
	"	exit 0;;\n"
	"\"images rm\")\n"
	"	shift 2\n"
	"	if [ -e hold ]; then touch holding; while [ -e hold ]; do sleep 0.01; done; fi\n"
	"	for name; do\n"
	"		if grep -qxF \"$name\" busy; then echo \"ctr: unable to delete $name: "
	"device "
	"or resource busy\" >&2; exit 1; fi\n"
	"		echo \"name $name\" >>done\n"
	"		grep -vF \"$name \" images >images.new; mv images.new images\n"
	"	done;;\n"
	"\"snapshots --snapshotter\") echo \"pin $5\" >>done;;\n"
	"\"leases create\") ;;\n"
	"\"leases delete\") echo collect >>done;;\n"
	"\"content get\") cat \"blobs/$3\";;\n"
	"\"plugins ls\") [ -e roots ] && cat roots; echo asked >>plugins;;\n"
	"*) echo \"ctr: what is $*?\" >&2; exit 1;;\n"
	"esac\n";

/* ---- files of the fake ---- */

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", place.dir, name);
}

void place_write(const char *name, const char *text)
{
	_cleanup_free_ char *path = path_of(name);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0755, false, NULL),
			 0);
}

void place_remove(const char *name)
{
	_cleanup_free_ char *path = path_of(name);

	unlink(path);
}

bool place_has(const char *name)
{
	_cleanup_free_ char *path = path_of(name);

	return access(path, F_OK) == 0;
}

char *place_read(const char *name)
{
	_cleanup_free_ char *path = path_of(name);
	char *text = NULL;

	if (file_read(AT_FDCWD, path, 1 << 20, &text, NULL, NULL) < 0)
		return xstrdup("");
	return text;
}

/* "sha256:" and the character 64 times. */
static char *digest_of(char c)
{
	char *digest = xasprintf("sha256:%064d", 0);

	memset(digest + strlen("sha256:"), c, 64);
	return digest;
}

void place_add_row(const char *name, char manifest, const char *size)
{
	_cleanup_free_ char *rows = place_read("images");
	_cleanup_free_ char *digest = digest_of(manifest);
	_cleanup_free_ char *more =
		xasprintf("%s%s type %s %s linux/amd64 -\n", rows, name, digest, size);

	place_write("images", more);
}

/* Manifest `manifest` of an image whose configuration is `config`. */
void place_add_blobs(char manifest, char config, const char *created)
{
	_cleanup_free_ char *manifest_digest = digest_of(manifest);
	_cleanup_free_ char *config_digest = digest_of(config);
	_cleanup_free_ char *manifest_name = xasprintf("blobs/%s", manifest_digest);
	_cleanup_free_ char *config_name = xasprintf("blobs/%s", config_digest);
	_cleanup_free_ char *manifest_text =
		xasprintf("{\"config\":{\"digest\":\"%s\",\"size\":1}}", config_digest);
	_cleanup_free_ char *config_text =
		xasprintf("{\"created\":\"%s\",\"rootfs\":{\"diff_ids\":[]}}", created);

	place_write(manifest_name, manifest_text);
	place_write(config_name, config_text);
}

/* ---- what tasks did ---- */

/* An image `id` that a task pulled, and the last one forgot so long ago. */
void place_pulled(const char *name, char id, int64_t used_ago_s)
{
	_cleanup_free_ char *digest = digest_of(id);
	const struct store_image_seen seen = {
		.name = name,
		.id = digest,
		.digest = digest,
		.at_ms = clock_wall_ms() - used_ago_s * 1000,
		.pull_succeeded = true,
	};

	assert_int_equal(store_track_image(place.store, &seen, NULL), 0);
	place_add_row(name, id, "1.0 MiB");
}

/* A task that is known; `id` 0: it has not got its image yet. */
void place_task_arrives(const char *image, char id)
{
	_cleanup_free_ char *json = xasprintf(
		"{\"arn\":\"arn:aws:ecs:here:1:task/c/t%zu\",\"desiredStatus\":\"RUNNING\","
		"\"containers\":[{\"name\":\"a\",\"image\":\"%s\"}]}",
		place.task_count, image);
	struct task_spec *spec = NULL;
	struct task_state *task;

	assert_int_equal(task_spec_decode_text(json, strlen(json), &spec, NULL), 0);
	task = task_state_new(spec);
	task_spec_unref(spec);
	task->containers[0].image_id = id ? digest_of(id) : NULL;
	place.tasks[place.task_count++] = task;
}

static const struct task_state *next_task(void *data, const struct task_state *previous)
{
	size_t next = 0;

	assert_ptr_equal(data, &place);
	while (previous && place.tasks[next++] != previous)
		;
	return next < place.task_count ? place.tasks[next] : NULL;
}

void place_forget_tasks(void)
{
	while (place.task_count > 0)
		task_state_free(place.tasks[--place.task_count]);
}

/* ---- passes ---- */

size_t place_count(const char *text, const char *part)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		count++;
	return count;
}

size_t place_passes(void)
{
	_cleanup_free_ char *text = place_read("log");

	return place_count(text, "msg=\"image cleanup done\"");
}

void place_wait_for_pass(void)
{
	size_t before = place_passes();
	int64_t until = clock_monotonic_ms() + PLACE_WAIT_MS;

	while (place_passes() == before) {
		assert_true(clock_monotonic_ms() < until);
		loop_run_once(place.loop, true);
	}
}

void place_start(void)
{
	_cleanup_free_ char *ctr = path_of("ctr");
	_cleanup_free_ char *address = path_of("containerd.sock");
	_cleanup_free_ char *run_dir = path_of("run");
	const struct image_store_config images = {
		.ctr_path = ctr,
		.address = address,
		.name_space = "test",
		.run_dir = run_dir,
	};
	struct image_cleanup_config config = {
		.loop = place.loop,
		.config = &place.config,
		.store = place.store,
		.next_task = next_task,
		.data = &place,
	};

	place.operations = config.operations = operations_new(place.loop);
	assert_int_equal(image_store_new(place.loop, &images, &place.images, NULL), 0);
	config.images = place.images;
	place.cleanup = image_cleanup_new(&config);
	image_cleanup_start(place.cleanup);
}

void place_stop(void)
{
	if (!place.cleanup)
		return;
	operations_abandon(place.operations);
	image_cleanup_free(TAKE(place.cleanup));
	image_store_free(TAKE(place.images));
	operations_free(TAKE(place.operations));
}

void place_one_pass(void)
{
	if (!place.cleanup)
		place_start();
	place_wait_for_pass();
}

/* The names and pins that were removed, in order, since the last time: "r.io/a:1 b/..." */
void place_assert_removed(const char *wanted)
{
	_cleanup_free_ char *text = place_read("done");
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT, names = STR_LIST_INIT;
	_cleanup_free_ char *joined = NULL;

	str_list_split(&lines, text, '\n', false);
	for (size_t i = 0; i < lines.count; i++) {
		if (str_starts_with(lines.items[i], "name "))
			str_list_add(&names, lines.items[i] + strlen("name "));
	}
	joined = str_list_join(&names, " ");
	assert_string_equal(joined, wanted);
	place_remove("done");
}

bool place_tracks(char id)
{
	_cleanup_free_ char *digest = digest_of(id);
	struct store_images images;
	bool found = false;

	assert_int_equal(store_load_images(place.store, &images, NULL), 0);
	for (size_t i = 0; i < images.count; i++)
		found |= str_eq(images.items[i].id, digest);
	store_images_free(&images);
	return found;
}

bool place_logged(const char *part)
{
	_cleanup_free_ char *text = place_read("log");

	return strstr(text, part) != NULL;
}

int place_set_up(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_free_ char *log = NULL;
	_cleanup_free_ char *socket_path = NULL;
	_cleanup_free_ char *blobs = NULL;
	struct log_config log_config = { .level = LOG_NONE,
					 .file_level = LOG_DEBUG,
					 .console_fd = -1 };

	memset(&place, 0, sizeof(place));
	place.dir = xstrdup("/tmp/berth-cleanup-XXXXXX");
	assert_non_null(mkdtemp(place.dir));
	log_config.file = log = path_of("log");
	assert_int_equal(log_open(&log_config, NULL), 0);
	blobs = path_of("blobs");
	assert_int_equal(file_mkdirs(blobs, 0755, NULL), 0);
	place_write("ctr", fake_ctr);
	place_write("images", "");
	place_write("busy", "");
	socket_path = path_of("containerd.sock");
	strcpy(address.sun_path, socket_path);
	place.containerd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(place.containerd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(place.containerd, 100), 0);
	place.config = (struct agent_config){
		.time_scale = 60000, /* a pass each 10 ms */
		.image_cleanup_interval_ms = 600000,
		.images_per_cleanup = 5,
	};
	assert_int_equal(loop_new(&place.loop, NULL), 0);
	assert_int_equal(store_open(NULL, &place.store, NULL), 0);
	return 0;
}

int place_tear_down(void **state)
{
	place_stop();
	place_forget_tasks();
	loop_free(place.loop);
	store_close(place.store);
	close(place.containerd);
	str_list_free(&place.config.excluded_images);
	log_close();
	assert_int_equal(file_remove_tree(AT_FDCWD, place.dir, NULL), 0);
	free(place.dir);
	return 0;
}

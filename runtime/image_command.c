/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/random.h"
#include "runtime/image_internal.h"

void image_command(const struct image_store *store, struct str_list *argv)
{
	str_list_add(argv, store->ctr_path);
	str_list_add(argv, "--address");
	str_list_add(argv, store->address);
	str_list_add(argv, "--namespace");
	str_list_add(argv, store->name_space);
}

void image_command_pull(const struct image_fetch *fetch, struct str_list *argv)
{
	image_command(fetch->store, argv);
	str_list_add(argv, "images");
	str_list_add(argv, "pull");
	str_list_add(argv, "--snapshotter");
	str_list_add(argv, fetch->store->snapshotter);
	if (fetch->hosts_dir) {
		str_list_add(argv, "--hosts-dir");
		str_list_add(argv, fetch->hosts_dir);
	} else if (fetch->plain_http) {
		str_list_add(argv, "--plain-http");
	}
	str_list_add(argv, fetch->reference);
}

char *image_pin_name(const struct image_store *store, const char *image_id)
{
	return xasprintf("%s%.32s", store->pin_prefix, image_id + strlen("sha256:"));
}

int image_command_check(const struct process_result *result, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	enum image_failure failure;

	if (result->timed_out)
		return error_say(err, ETIMEDOUT, "ctr did not end in time");
	if (result->exit_code == 0)
		return 0;
	failure = image_failure_from_ctr(result->errors, &text);
	return error_say(err, image_failure_errno(failure), "%s", text);
}

static char *host_of(const char *reference)
{
	return xstrndup(reference, strcspn(reference, "/"));
}

int image_hosts_make(struct image_fetch *fetch, struct error *err)
{
	const struct registry_options *registry = &fetch->registry;
	_cleanup_free_ char *host = host_of(fetch->reference);
	_cleanup_free_ char *dir = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *text = NULL;
	char unique[17];
	int result;

	/* Without credentials and CA ctr's own ways do; but for loopback addresses it would choose
	 * http by itself. */
	if (!registry->user && !registry->ca_file && registry->scheme != REGISTRY_SCHEME_HTTPS)
		return 0;
	random_hex(unique, 8);
	fetch->hosts_dir = xasprintf("%s/" IMAGE_HOSTS_PREFIX "%s", fetch->store->run_dir, unique);
	dir = xasprintf("%s/%s", fetch->hosts_dir, host);
	path = xasprintf("%s/hosts.toml", dir);
	result = image_hosts_toml(fetch->server, registry, &text, err);
	if (result == 0)
		result = file_mkdirs(dir, 0700, err);
	if (result == 0)
		result = file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false, err);
	if (text)
		explicit_bzero(text, strlen(text));
	if (result < 0) {
		error_prefix(err, "write the registry's settings for a pull");
		image_hosts_remove(fetch);
	}
	return result;
}

void image_hosts_remove(struct image_fetch *fetch)
{
	if (!fetch->hosts_dir)
		return;
	file_remove_tree(AT_FDCWD, fetch->hosts_dir, NULL);
	free(TAKE(fetch->hosts_dir));
}

int image_containerd_check(const struct image_store *store, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(store->address) >= sizeof(address.sun_path))
		return 0;
	memcpy(address.sun_path, store->address, strlen(store->address));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, errno, "make a socket");
	/* EAGAIN: it has much to do, but it is there. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN)
		return 0;
	error_say(err, ECONNREFUSED,
		  "containerd does not answer at %s (%s): start it (systemctl start containerd), "
		  "or set the right "
		  "address",
		  store->address, strerror(errno));
	return -ECONNREFUSED;
}

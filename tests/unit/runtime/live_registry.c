/* SPDX-License-Identifier: Apache-2.0 */
#include "live_registry.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/sigv4.h"
#include "base/strbuf.h"
#include "live.h"
#include "runtime/image_parse.h"

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static pid_t spawn(const char *const *argv, const char *log)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char **)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

bool live_command_succeeds(const char *const *argv)
{
	pid_t pid = spawn(argv, "/dev/null");
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void live_command(const char *const *argv)
{
	if (!live_command_succeeds(argv))
		fail_msg("%s %s ... failed", argv[0], argv[1] ? argv[1] : "");
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void write_text(const char *path, const char *text)
{
	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false, NULL),
			 0);
}

static void wait_connect(const struct sockaddr *address, socklen_t size, pid_t pid,
			 const char *what)
{
	int64_t until = clock_monotonic_ms() + 60000;

	for (;;) {
		int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int result = connect(fd, address, size);

		close(fd);
		if (result == 0)
			return;
		if (clock_monotonic_ms() > until || waitpid(pid, NULL, WNOHANG) == pid)
			fail_msg("%s does not come up", what);
		usleep(5000);
	}
}

void live_containerd_start(struct live_containerd *containerd, const char *dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_free_ char *config = xasprintf("%s/containerd.toml", dir);
	_cleanup_free_ char *log = xasprintf("%s/containerd.log", dir);
	_cleanup_free_ char *text = NULL;

	containerd->dir = xstrdup(dir);
	containerd->address = xasprintf("%s/containerd.sock", dir);
	text = xasprintf(
		"version = 2\nroot = \"%s/root\"\nstate = \"%s/state\"\n"
		"disabled_plugins = [\"io.containerd.grpc.v1.cri\", "
		"\"io.containerd.internal.v1.restart\",\n"
		"  \"io.containerd.internal.v1.opt\", "
		"\"io.containerd.tracing.processor.v1.otlp\",\n"
		"  \"io.containerd.snapshotter.v1.btrfs\", "
		"\"io.containerd.snapshotter.v1.devmapper\",\n"
		"  \"io.containerd.snapshotter.v1.zfs\", \"io.containerd.snapshotter.v1.aufs\"]\n"
		"[grpc]\naddress = \"%s\"\n",
		dir, dir, containerd->address);
	write_text(config, text);
	containerd->pid = spawn(ARGS("containerd", "-c", config), log);
	strcpy(address.sun_path, containerd->address);
	wait_connect((struct sockaddr *)&address, sizeof(address), containerd->pid, "containerd");
}

void live_containerd_stop(struct live_containerd *containerd)
{
	if (containerd->pid)
		stop(containerd->pid);
	unlink(containerd->address);
	free(containerd->address);
	free(containerd->dir);
}

/* Below those that the kernel chooses from for whoever connects: it stays free until the registry
 * binds it. */
static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port;

	/* Programs that run side by side begin at different ones. */
	for (port = 10000 + (int)getpid() % 20000; port < 32768; port++) {
		address.sin_port = htons((uint16_t)port);
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			break;
	}
	assert_true(port < 32768);
	close(fd);
	return port;
}

void live_registry_start(struct live_registry *registry, const char *dir, int tls, const char *user,
			 const char *password)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_strbuf_ struct strbuf config = STRBUF_INIT;
	_cleanup_free_ char *path = xasprintf("%s/registry.yml", dir);
	_cleanup_free_ char *log = xasprintf("%s/registry.log", dir);
	_cleanup_free_ char *key = xasprintf("%s/key.pem", dir);
	_cleanup_free_ char *cert = xasprintf("%s/cert.pem", dir);

	assert_int_equal(file_mkdirs(dir, 0700, NULL), 0);
	*registry = (struct live_registry){ .port = free_port() };
	strbuf_appendf(&config, "version: 0.1\nstorage: {filesystem: {rootdirectory: %s/data}}\n",
		       dir);
	if (tls) {
		live_command(ARGS("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
				  "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
				  cert, "-days", "2", "-subj", "/CN=localhost", "-addext",
				  "subjectAltName=DNS:localhost,IP:127.0.0.1"));
		registry->ca_file = xstrdup(cert);
		strbuf_appendf(&config,
			       "http: {addr: 127.0.0.1:%d, tls: {certificate: %s, key: %s}}\n",
			       registry->port, cert, key);
	} else {
		strbuf_appendf(&config, "http: {addr: 127.0.0.1:%d}\n", registry->port);
	}
	if (user) {
		_cleanup_free_ char *htpasswd = xasprintf("%s/htpasswd", dir);

		live_command(ARGS("htpasswd", "-cBb", htpasswd, user, password));
		strbuf_appendf(&config, "auth: {htpasswd: {realm: test, path: %s}}\n", htpasswd);
	}
	write_text(path, config.data);
	registry->pid = spawn(ARGS("docker-registry", "serve", path), log);
	address.sin_port = htons((uint16_t)registry->port);
	wait_connect((struct sockaddr *)&address, sizeof(address), registry->pid,
		     "docker-registry");
}

void live_registry_stop(struct live_registry *registry)
{
	if (registry->pid)
		stop(registry->pid);
	free(registry->ca_file);
	*registry = (struct live_registry){ 0 };
}

/* ---- images */

struct blob {
	char digest[72];
	size_t size;
};

static struct blob put_blob(const char *dir, const void *data, size_t size)
{
	struct blob blob = { .size = size };
	char hex[65];
	_cleanup_free_ char *path = NULL;

	sha256_hex(data, size, hex);
	snprintf(blob.digest, sizeof(blob.digest), "sha256:%s", hex);
	path = xasprintf("%s/blobs/sha256/%s", dir, hex);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, data, size, 0644, false, NULL), 0);
	return blob;
}

/* An uncompressed layer: its digest is its diff id. */
static struct blob put_layer(const char *dir, const char *root)
{
	_cleanup_free_ char *tar = xasprintf("%s/layer.tar", dir);
	_cleanup_free_ char *data = NULL;
	struct blob blob;
	size_t size;

	live_command(ARGS("tar", "-C", root, "--numeric-owner", "-cf", tar, "."));
	assert_int_equal(file_read(AT_FDCWD, tar, 64 << 20, &data, &size, NULL), 0);
	blob = put_blob(dir, data, size);
	unlink(tar);
	return blob;
}

static void append_descriptor(struct strbuf *sb, const char *type, struct blob blob)
{
	strbuf_appendf(
		sb,
		"{\"mediaType\":\"application/vnd.oci.image.%s\",\"digest\":\"%s\",\"size\":%zu",
		type, blob.digest, blob.size);
}

static struct blob put_image(const char *dir, const char *architecture, struct blob low,
			     struct blob high)
{
	_cleanup_strbuf_ struct strbuf config = STRBUF_INIT, manifest = STRBUF_INIT;
	struct blob blob;

	strbuf_appendf(
		&config,
		"{\"architecture\":\"%s\",\"os\":\"linux\",\"created\":\"2026-01-02T03:04:05Z\","
		"\"config\":{"
		"\"Env\":[\"PATH=/bin\",\"FROM=image\"],\"Entrypoint\":[\"/bin/"
		"sh\"],\"Cmd\":[\"-c\",\"exit 4\"],"
		"\"User\":\"web\",\"WorkingDir\":\"/"
		"tmp\",\"StopSignal\":\"SIGQUIT\",\"Labels\":{\"a\":\"b\"},"
		"\"Volumes\":{\"/"
		"data\":{}},\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":1000000000,"
		"\"Retries\":2}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
		architecture, low.digest, high.digest);
	blob = put_blob(dir, config.data, config.length);
	strbuf_append(
		&manifest,
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"config\":");
	append_descriptor(&manifest, "config.v1+json", blob);
	strbuf_append(&manifest, "},\"layers\":[");
	append_descriptor(&manifest, "layer.v1.tar", low);
	strbuf_append(&manifest, "},");
	append_descriptor(&manifest, "layer.v1.tar", high);
	strbuf_append(&manifest, "}]}");
	return put_blob(dir, manifest.data, manifest.length);
}

void live_make_images(const char *dir)
{
	const char *variant, *native = image_host_architecture(&variant);
	_cleanup_strbuf_ struct strbuf index = STRBUF_INIT, foreign = STRBUF_INIT;
	_cleanup_free_ char *blobs = xasprintf("%s/blobs/sha256", dir);
	_cleanup_free_ char *low_root = xasprintf("%s/low", dir);
	_cleanup_free_ char *high_root = xasprintf("%s/high", dir);
	_cleanup_free_ char *file = xasprintf("%s/etc/above", high_root);
	_cleanup_free_ char *etc = xasprintf("%s/etc", high_root);
	_cleanup_free_ char *layout = xasprintf("%s/oci-layout", dir);
	_cleanup_free_ char *index_path = xasprintf("%s/index.json", dir);
	struct blob low, high, ours, other, list;

	assert_int_equal(file_mkdirs(blobs, 0755, NULL), 0);
	assert_int_equal(file_mkdirs(etc, 0755, NULL), 0);
	live_make_layer(low_root);
	write_text(file, "above\n");
	low = put_layer(dir, low_root);
	high = put_layer(dir, high_root);
	ours = put_image(dir, native, low, high);
	other = put_image(dir, "s390x", low, high);
	strbuf_append(
		&foreign,
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		"\"manifests\":[");
	append_descriptor(&foreign, "manifest.v1+json", other);
	strbuf_append(&foreign, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}}]}");
	list = put_blob(dir, foreign.data, foreign.length);

	strbuf_append(&index, "{\"schemaVersion\":2,\"manifests\":[");
	append_descriptor(&index, "manifest.v1+json", ours);
	strbuf_append(&index,
		      ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"native\"}},");
	append_descriptor(&index, "manifest.v1+json", other);
	strbuf_append(&index,
		      ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"s390x\"}},");
	append_descriptor(&index, "index.v1+json", list);
	strbuf_append(
		&index,
		",\"annotations\":{\"org.opencontainers.image.ref.name\":\"only-foreign\"}}]}");
	write_text(index_path, index.data);
	write_text(layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
}

void live_push(const char *layout, const char *tag, const struct live_registry *registry,
	       const char *name, const char *user_and_password)
{
	_cleanup_free_ char *from = xasprintf("oci:%s:%s", layout, tag);
	_cleanup_free_ char *to = xasprintf("docker://127.0.0.1:%d/%s", registry->port, name);

	if (user_and_password)
		live_command(ARGS("skopeo", "copy", "--all", "--dest-tls-verify=false",
				  "--dest-creds", user_and_password, from, to));
	else
		live_command(ARGS("skopeo", "copy", "--all", "--dest-tls-verify=false", from, to));
}

/* ---- fetches */

static void on_progress(void *data, const struct image_progress *progress)
{
	struct live_fetch *fetch = data;

	assert_non_null(progress->state);
	fetch->progress++;
}

void live_fetch_done(void *data, const struct image_result *result)
{
	struct live_fetch *fetch = data;

	assert_false(fetch->done);
	fetch->done = true;
	fetch->failure = result->failure;
	fetch->err = *result->err;
	fetch->image = result->image ? image_ref(result->image) : NULL;
}

void live_pull_begin(struct live_fetch *fetch, struct image_store *store, const char *reference,
		     const struct registry_options *registry, int64_t inactivity_ms)
{
	const struct image_pull_request request = {
		.reference = reference,
		.registry = registry ? *registry : (struct registry_options){ 0 },
		.inactivity_timeout_ms = inactivity_ms,
		.begin_timeout_ms = inactivity_ms,
		.on_progress = on_progress,
		.on_done = live_fetch_done,
		.data = fetch,
	};

	*fetch = (struct live_fetch){ 0 };
	assert_int_equal(image_pull(store, &request, NULL, NULL), 0);
	assert_false(fetch->done);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/image.h"
#include "runtime/image_parse.h"
#include "runtime/image_reference.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "sha256:3333333333333333333333333333333333333333333333333333333333333333"

/* ---- names */

static void names_are_completed_as_docker_does(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{ "busybox", "docker.io/library/busybox:latest" },
		{ "busybox:1.36", "docker.io/library/busybox:1.36" },
		{ "library/busybox", "docker.io/library/busybox:latest" },
		{ "user/app:v1", "docker.io/user/app:v1" },
		{ "index.docker.io/user/app", "docker.io/user/app:latest" },
		{ "docker.io/busybox", "docker.io/library/busybox:latest" },
		{ "registry:5000/a/b:1", "registry:5000/a/b:1" },
		{ "localhost/a", "localhost/a:latest" },
		{ "ghcr.io/a/b-c_d.e__f", "ghcr.io/a/b-c_d.e__f:latest" },
		{ "127.0.0.1:5000/a@" D1, "127.0.0.1:5000/a@" D1 },
		{ "a:tag@" D1, "docker.io/library/a@" D1 },
		{ "123456789012.dkr.ecr.us-west-2.amazonaws.com/x:1",
		  "123456789012.dkr.ecr.us-west-2.amazonaws.com/x:1" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		_cleanup_image_reference_ struct image_reference reference = { 0 };
		_cleanup_free_ char *complete = NULL;
		struct error err = ERROR_INIT;

		if (image_reference_parse(pairs[i][0], &reference, &err) < 0)
			fail_msg("%s", err.text);
		complete = image_reference_complete(&reference);
		assert_string_equal(complete, pairs[i][1]);
		free(complete);
		complete = image_name_complete(pairs[i][0]);
		assert_string_equal(complete, pairs[i][1]);
		assert_int_equal(image_name_check(complete, NULL), 0);
		assert_int_equal(image_name_check(pairs[i][0], NULL),
				 strcmp(pairs[i][0], complete) == 0 ? 0 : -EINVAL);
	}
}

static void names_that_are_none_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"",       "UPPER",        "a b",         "a:",
		"a:-x",   "a@sha256:123", "a@md5:1",     "/a",
		"a//b",   "a/",           "-a",          "a..b",
		"a___b",  "a:b:c",        "https://x/y", "x.y/",
		"a\n",    "a;rm",         "host:5000/A", "..",
		"a/../b", "--plain-http",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		_cleanup_image_reference_ struct image_reference reference = { 0 };
		struct error err = ERROR_INIT;

		if (image_reference_parse(wrong[i], &reference, &err) != -EINVAL)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_non_null(strstr(err.text, "invalid reference format"));
		_cleanup_free_ char *same = image_name_complete(wrong[i]);

		assert_string_equal(same, wrong[i]);
		assert_int_equal(image_name_check(wrong[i], NULL), -EINVAL);
	}
}

static void loopback_is_known(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool loopback;
	} cases[] = {
		{ "localhost:5000/a", true }, { "127.0.0.1/a", true },
		{ "127.1.2.3:80/a", true },   { "[::1]:5000/a", true },
		{ "busybox", false },         { "localhost.evil.com/a", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_image_reference_ struct image_reference reference = { 0 };

		assert_int_equal(image_reference_parse(cases[i].name, &reference, NULL), 0);
		assert_int_equal(image_reference_is_loopback(&reference), cases[i].loopback);
	}
}

/* ---- errors */

static void ctrs_words_are_classified(void **state)
{
	(void)state;
	static const struct {
		const char *errors;
		enum image_failure failure;
		const char *text;
	} cases[] = {
		{ "time=\"x\" level=info msg=\"trying next host\"\nctr: failed to resolve "
		  "reference \"r/a:1\": r/a:1: not "
		  "found\n",
		  IMAGE_NOT_FOUND, "failed to resolve reference \"r/a:1\": r/a:1: not found" },
		{ "ctr: failed to do request: Head \"http://127.0.0.1:1/v2/\": dial tcp "
		  "127.0.0.1:1: connect: connection "
		  "refused",
		  IMAGE_UNREACHABLE, "connection refused" },
		{ "ctr: ... dial tcp: lookup nosuch.invalid on 10.0.0.1:53: no such host",
		  IMAGE_UNREACHABLE, "no such host" },
		{ "ctr: failed to resolve reference \"x\": failed with status code [manifests 1]: "
		  "401 Unauthorized",
		  IMAGE_UNAUTHORIZED, "401" },
		{ "ctr: pull access denied, repository does not exist or may require "
		  "authorization: server message: "
		  "insufficient_scope: authorization failed",
		  IMAGE_UNAUTHORIZED, "pull access denied" },
		{ "ctr: failed to dial \"/x.sock\": context deadline exceeded: connection error: "
		  "desc = \"transport: error "
		  "while dialing: dial unix:///x.sock: timeout\"",
		  IMAGE_NO_CONTAINERD, "/x.sock" },
		{ "ctr: failed to copy: write /var/x: no space left on device", IMAGE_NO_SPACE,
		  "no space" },
		{ "ctr: failed to resolve: no match for platform in manifest " D1 ": not found",
		  IMAGE_WRONG_PLATFORM, "platform" },
		{ "ctr: failed commit on ref \"layer\": unexpected commit digest " D1
		  ", expected " D2 ": failed precondition",
		  IMAGE_CORRUPT, "unexpected commit digest" },
		{ "ctr: tls: failed to verify certificate: x509: certificate signed by unknown "
		  "authority",
		  IMAGE_UNREACHABLE, "x509" },
		{ "ctr: something new", IMAGE_FAILED, "something new" },
		{ "only a log line\n", IMAGE_FAILED, "only a log line" },
		{ "", IMAGE_FAILED, "no reason" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text = NULL;
		enum image_failure failure = image_failure_from_ctr(cases[i].errors, &text);

		assert_int_equal(failure, cases[i].failure);
		assert_non_null(strstr(text, cases[i].text));
		assert_false(str_starts_with(text, "ctr: "));
		assert_true(image_failure_errno(failure) > 0);
	}
}

/* ---- progress */

static void progress_is_what_changes_from_frame_to_frame(void **state)
{
	(void)state;
	struct image_progress_parser parser = { 0 };

	assert_false(image_progress_line(&parser, "\x1b[1;1Hr/a:1: resolving |-----| "));
	assert_true(image_progress_line(&parser, "elapsed: 0.1 s total: 0.0 B (0.0 B/s)\r"));
	assert_string_equal(parser.progress.state, "resolving");
	/* The same again, later: nothing moves. */
	image_progress_line(&parser, "r/a:1: resolving |-----| ");
	assert_false(image_progress_line(&parser, "elapsed: 0.2 s total: 0.0 B (0.0 B/s)"));

	image_progress_line(&parser, "r/a:1: resolved |+++++| ");
	image_progress_line(&parser, "\x1b[32mlayer-" D1
				     ":\x1b[0m  downloading |+++---| 42.0 MiB/150.0 MiB\t");
	image_progress_line(&parser, "layer-" D2 ":  done |++++++| ");
	image_progress_line(&parser, "layer-" D3 ":  downloading |+-----| 512.0 B/2.0 KiB");
	assert_true(image_progress_line(&parser, "elapsed: 0.3 s"));
	assert_string_equal(parser.progress.state, "downloading");
	assert_int_equal(parser.progress.bytes_done, (42 << 20) + 512);
	assert_int_equal(parser.progress.bytes_total, (150 << 20) + 2048);
	assert_true(image_progress_line(&parser, "unpacking linux/amd64 " D1 "..."));
	assert_string_equal(parser.progress.state, "unpacking");
	assert_true(image_progress_line(&parser, "done: 3.2ms"));
	/* Nonsense moves nothing. */
	assert_false(image_progress_line(&parser, ""));
	assert_false(image_progress_line(&parser, "\x1b["));
	image_progress_line(&parser, "layer-x: downloading |+| 9e999 TiB/nan");
	assert_int_equal(parser.bytes_total, 0);
}

static void rows_are_found_by_their_whole_name(void **state)
{
	(void)state;
	static const char table[] = "REF TYPE DIGEST SIZE PLATFORMS LABELS \n"
				    "r/a:10 application/x " D1 " 1.0 MiB linux/amd64 - \n"
				    "r/a:1  application/x " D2 " 1.0 MiB linux/amd64 - \n"
				    "r/b:1  application/x sha256:12 1.0 MiB linux/amd64 - \n";
	_cleanup_free_ char *digest = image_list_find(table, "r/a:1");

	assert_string_equal(digest, D2);
	assert_null(image_list_find(table, "r/c:1"));
	assert_null(image_list_find(table, "r/b:1"));
	assert_null(image_list_find("", "r/a:1"));
}

static void a_listing_gives_names_digests_and_sizes(void **state)
{
	(void)state;
	static const char table[] = "REF TYPE DIGEST SIZE PLATFORMS LABELS \n"
				    "r/a:1  application/x " D2 " 1.5 MiB linux/amd64 - \n"
				    "r/wrong:1  application/x sha256:12 1.0 MiB linux/amd64 - \n"
				    "r/b:1  application/x " D1 " -       - \n"
				    "short\n";
	struct image_rows rows;

	image_rows_parse(table, &rows);
	assert_int_equal(rows.count, 2);
	assert_string_equal(rows.items[0].reference, "r/a:1");
	assert_string_equal(rows.items[0].digest, D2);
	assert_int_equal(rows.items[0].size, 3 << 19);
	assert_string_equal(rows.items[1].reference, "r/b:1");
	assert_int_equal(rows.items[1].size, 0);
	image_rows_free(&rows);
}

static void containerd_says_where_its_content_is(void **state)
{
	(void)state;
	static const char plugins[] =
		"Type:          io.containerd.content.v1\nID:            content\n"
		"Exports:      \n               root      /var/lib/c/content v1\n"
		"                            \n"
		"Type:          io.containerd.snapshotter.v1\nPlatforms:     linux/amd64\n"
		"Exports:      \n               root      /srv/layers\n"
		"               rootless  /no\n               root      relative\n";
	_cleanup_str_list_ struct str_list found = STR_LIST_INIT, none = STR_LIST_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(image_directories_parse(plugins, &found, NULL), 0);
	assert_int_equal(found.count, 2);
	assert_string_equal(found.items[0], "/var/lib/c/content v1");
	assert_string_equal(found.items[1], "/srv/layers");
	assert_int_equal(image_directories_parse("Type: x\n", &none, &err), -EINVAL);
	assert_non_null(strstr(err.text, "does not say where"));
}

/* ---- JSON */

static int parse_manifest(const char *text, struct image_manifest *ret, struct error *err)
{
	*ret = (struct image_manifest){ 0 };
	return image_manifest_parse(text, strlen(text), "linux", "arm64", "v8", ret, err);
}

static void a_manifest_names_its_configuration(void **state)
{
	(void)state;
	struct image_manifest manifest;

	assert_int_equal(parse_manifest("{\"schemaVersion\":2,\"config\":{\"digest\":\"" D1
					"\",\"size\":5},\"layers\":[{\"digest\":\"" D2
					"\",\"size\":100},{\"digest\":\"" D3 "\",\"size\":20}]}",
					&manifest, NULL),
			 0);
	assert_string_equal(manifest.config, D1);
	assert_null(manifest.child);
	assert_int_equal(manifest.size, 125);
	free(manifest.config);
}

#define ENTRY(digest, architecture, more)                                                          \
	"{\"digest\":\"" digest                                                                    \
	"\",\"platform\":{\"os\":\"linux\",\"architecture\":\"" architecture "\"" more "}}"

static void an_index_leads_to_this_hosts_manifest(void **state)
{
	(void)state;
	struct image_manifest manifest;
	struct error err = ERROR_INIT;

	assert_int_equal(
		parse_manifest(
			"{\"manifests\":[" ENTRY(D1, "amd64", "") "," ENTRY(
				D2, "arm64", "") "," ENTRY(D3, "arm64", ",\"variant\":\"v8\"") "]}",
			&manifest, NULL),
		0);
	assert_string_equal(manifest.child, D3);
	free(manifest.child);
	assert_int_equal(parse_manifest("{\"manifests\":[" ENTRY(D1, "amd64", "") "," ENTRY(
						D2, "arm", ",\"variant\":\"v7\"") "]}",
					&manifest, &err),
			 -ENOENT);
	assert_string_equal(
		err.text,
		"no matching manifest for linux/arm64: the image is made for linux/amd64, "
		"linux/arm/v7; use an image for this host's architecture");
}

static void wrong_manifests_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"",
		"[]",
		"{}",
		"{\"config\":{\"digest\":\"../../etc/passwd\"}}",
		"{\"config\":{\"digest\":\"sha256:ABC\"}}",
		"{\"config\":5}",
		"{\"manifests\":[{\"digest\":\"x\",\"platform\":{}}]}",
		"{\"manifests\":{}}",
		"{\"config\":{\"digest\":\"" D1 "\"},\"layers\":[{\"size\":-1}]}",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct image_manifest manifest;
		struct error err = ERROR_INIT;
		int result = parse_manifest(wrong[i], &manifest, &err);

		if (result >= 0)
			fail_msg("%s was taken", wrong[i]);
		assert_true(*err.text);
	}
}

static struct image *new_image(void)
{
	struct image *image = xcalloc(1, sizeof(*image));

	image->references_ = 1;
	return image;
}

static void a_configuration_tells_how_to_run(void **state)
{
	(void)state;
	static const char text[] =
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"A=1\"],"
		"\"Entrypoint\":null,"
		"\"Cmd\":[\"sh\"],\"User\":\"1:2\",\"StopSignal\":\"SIGINT\",\"Healthcheck\":{"
		"\"Test\":[\"CMD-SHELL\",\"x\"],"
		"\"Timeout\":5000000000}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1
		"\",\"" D2 "\"]}}";
	struct image *image = new_image();
	_cleanup_free_ char *chain = NULL;

	assert_int_equal(image_config_parse(text, strlen(text), image, &chain, NULL), 0);
	assert_string_equal(image->env.items[0], "A=1");
	assert_int_equal(image->entrypoint.count, 0);
	assert_string_equal(image->command.items[0], "sh");
	assert_string_equal(image->user, "1:2");
	assert_string_equal(image->working_dir, "");
	assert_string_equal(image->stop_signal, "SIGINT");
	assert_string_equal(image->healthcheck.test.items[0], "CMD-SHELL");
	assert_int_equal(image->healthcheck.timeout_ns, 5000000000);
	/* sha256sum of "<D1> <D2>" */
	assert_string_equal(
		chain, "sha256:9932074217c35353d2e03a3f5a86549f7c67bfeb0ba53e23d69f4d4c8f7958f5");
	image_unref(image);
}

static void a_configuration_may_say_little_but_not_nonsense(void **state)
{
	(void)state;
	static const char *const wrong[] = { "",
					     "7",
					     "{}",
					     "{\"rootfs\":{\"diff_ids\":[\"x\"]}}",
					     "{\"rootfs\":{\"diff_ids\":7}}",
					     "{\"config\":{\"Env\":\"A=1\"},\"rootfs\":{}}",
					     "{\"config\":{\"Cmd\":[1]},\"rootfs\":{}}" };
	struct image *image = new_image();
	char *chain = NULL;
	static const char least[] = "{\"rootfs\":{\"type\":\"layers\"},\"config\":null}";

	assert_int_equal(image_config_parse(least, strlen(least), image, &chain, NULL), 0);
	assert_null(chain);
	assert_string_equal(image->architecture, "");
	image_unref(image);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct error err = ERROR_INIT;

		image = new_image();
		if (image_config_parse(wrong[i], strlen(wrong[i]), image, &chain, &err) >= 0)
			fail_msg("%s was taken", wrong[i]);
		assert_non_null(strstr(err.text, "image configuration"));
		image_unref(image);
	}
}

static void layers_come_from_either_form(void **state)
{
	(void)state;
	static const char json[] =
		"[{\"Type\":\"overlay\",\"Options\":[\"index=off\",\"upperdir=/s/3/fs\","
		"\"lowerdir=/s/2/fs:/s/1/fs\"]}]";
	static const char command[] = "mount -t overlay overlay /M -o "
				      "index=off,workdir=/w,upperdir=/s/3/fs,lowerdir=/s/2/fs\n";
	_cleanup_str_list_ struct str_list layers = STR_LIST_INIT, one = STR_LIST_INIT,
					   none = STR_LIST_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(image_mounts_parse(json, &layers, NULL), 0);
	assert_int_equal(layers.count, 2);
	assert_string_equal(layers.items[0], "/s/2/fs");
	assert_int_equal(image_mounts_parse(command, &one, NULL), 0);
	assert_int_equal(one.count, 1);
	assert_string_equal(one.items[0], "/s/2/fs");
	assert_int_equal(image_mounts_parse("mount -t bind /s/1/fs /M", &none, &err), -EINVAL);
	assert_non_null(strstr(err.text, "overlayfs"));
	assert_int_equal(image_mounts_parse("lowerdir=relative:/x", &none, NULL), -EINVAL);
}

/* ---- registries */

static void registry_settings_are_written_for_containerd(void **state)
{
	(void)state;
	_cleanup_free_ char *text = NULL;
	const struct registry_options options = { .ca_file = "/etc/ca \"x\".pem",
						  .user = "me",
						  .password = "se:cret" };
	struct error err = ERROR_INIT;

	assert_int_equal(image_hosts_toml("https://localhost:5000", &options, &text, NULL), 0);
	assert_string_equal(text, "server = \"https://localhost:5000\"\n"
				  "[host.\"https://localhost:5000\"]\n"
				  "  capabilities = [\"pull\", \"resolve\"]\n"
				  "  ca = \"/etc/ca \\\"x\\\".pem\"\n"
				  "  [host.\"https://localhost:5000\".header]\n"
				  "    Authorization = \"Basic bWU6c2U6Y3JldA==\"\n");
	free(text);
	text = NULL;
	assert_int_equal(image_hosts_toml("https://h",
					  &(struct registry_options){ .ca_file = "/a\nb" }, &text,
					  &err),
			 -EINVAL);
	assert_int_equal(image_hosts_toml("https://h",
					  &(struct registry_options){ .ca_file = "rel" }, &text,
					  &err),
			 -EINVAL);
	assert_int_equal(image_hosts_toml("https://h", &(struct registry_options){ .user = "a:b" },
					  &text, &err),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_completed_as_docker_does),
		cmocka_unit_test(names_that_are_none_are_refused),
		cmocka_unit_test(loopback_is_known),
		cmocka_unit_test(ctrs_words_are_classified),
		cmocka_unit_test(progress_is_what_changes_from_frame_to_frame),
		cmocka_unit_test(rows_are_found_by_their_whole_name),
		cmocka_unit_test(a_listing_gives_names_digests_and_sizes),
		cmocka_unit_test(containerd_says_where_its_content_is),
		cmocka_unit_test(a_manifest_names_its_configuration),
		cmocka_unit_test(an_index_leads_to_this_hosts_manifest),
		cmocka_unit_test(wrong_manifests_are_refused),
		cmocka_unit_test(a_configuration_tells_how_to_run),
		cmocka_unit_test(a_configuration_may_say_little_but_not_nonsense),
		cmocka_unit_test(layers_come_from_either_form),
		cmocka_unit_test(registry_settings_are_written_for_containerd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

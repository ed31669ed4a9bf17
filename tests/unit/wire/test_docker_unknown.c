/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/docker_unknown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "quoted.h"
#include "wire/docker_config.h"

static void what_docker_would_do_is_named(void **state)
{
	static const struct {
		const char *host_config, *member;
	} cases[] = {
		{ "{'NetworkMode':'host','Memory':8388608,'CapAdd':['ALL']}", NULL },
		{ "{'Moon':true,'ConsoleSize':[24,80],'ContainerIDFile':'/"
		  "x','Isolation':'default'}",
		  NULL },
		/* What is given and says nothing, as a client in Go writes it. */
		{ "{'Links':null,'VolumesFrom':[],'VolumeDriver':'','BlkioWeight':0,"
		  "'BlkioWeightDevice':[],'AutoRemove':false,'StorageOpt':{},'KernelMemory':0}",
		  NULL },
		{ "{'RestartPolicy':{'Name':'','MaximumRetryCount':0}}", NULL },
		{ "{'RestartPolicy':{'Name':'no','MaximumRetryCount':0}}", NULL },
		{ "{'RestartPolicy':{'Name':'always'}}", "RestartPolicy" },
		{ "{'CgroupnsMode':'host'}", NULL },
		{ "{'CgroupnsMode':'private'}", "CgroupnsMode" },
		{ "{'AutoRemove':true}", "AutoRemove" },
		{ "{'BlkioWeight':10}", "BlkioWeight" },
		{ "{'StorageOpt':{'size':'1g'}}", "StorageOpt" },
		{ "{'Mounts':[{}]}", "Mounts" },
		{ "{'links':['db']}", "Links" }, /* in any case, as all of it */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *text = quoted(cases[i].host_config);
		struct docker_config config = { .tty = false };
		struct arena *arena = arena_new();
		struct error err = ERROR_INIT;

		print_message("%s\n", cases[i].host_config);
		if (docker_config_decode(NULL, text, arena, &config, &err) < 0)
			fail_msg("%s", err.text);
		if (cases[i].member)
			assert_string_equal(config.unknown_member, cases[i].member);
		else
			assert_null(config.unknown_member);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_docker_would_do_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

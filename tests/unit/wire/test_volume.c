/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "quoted.h"

/* acs-M10 (its refusal is in test_task_refusals.c) */
static void host_volumes(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
		task_with("'volumes':[{'name':'a','host':{}},{'name':'b','type':'host','host':{'"
			  "sourcePath':'/b'}}]");

	assert_int_equal(task->volumes[0].type, VOLUME_HOST);
	assert_string_equal(task->volumes[0].source_path, "");
	assert_string_equal(task->volumes[1].source_path, "/b");
}

static void docker_volumes(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task =
		task_with("'volumes':[{'name':'a','type':'docker','dockerVolumeConfiguration':{'"
			  "scope':'shared',"
			  "'autoprovision':true,'driver':'local','driverOpts':{'type':'tmpfs'},'"
			  "labels':{'l':'v'}}},"
			  "{'name':'b','type':'docker','dockerVolumeConfiguration':{}}]");

	assert_int_equal(task->volumes[0].docker.scope, DOCKER_VOLUME_SCOPE_SHARED);
	assert_true(task->volumes[0].docker.autoprovision);
	assert_string_equal(text_map_get(&task->volumes[0].docker.driver_options, "type"), "tmpfs");
	assert_int_equal(task->volumes[1].docker.scope, DOCKER_VOLUME_SCOPE_TASK);
	assert_null(task->volumes[1].docker.driver);
}

static void network_volumes(void **state)
{
	_cleanup_(task_spec_unref_cleanup) struct task_spec *task = task_with(
		"'volumes':[{'name':'a','type':'efs','efsVolumeConfiguration':{'fileSystemId':'fs-"
		"1',"
		"'rootDirectory':'/','transitEncryption':'ENABLED','transitEncryptionPort':2049,"
		"'authorizationConfig':{'accessPointId':'ap','iam':'ENABLED'}}},"
		"{'name':'b','type':'efs','efsVolumeConfiguration':{}},"
		"{'name':'c','type':'fsxWindowsFileServer','"
		"fsxWindowsFileServerVolumeConfiguration':{}}]");

	assert_string_equal(task->volumes[0].efs.file_system_id, "fs-1");
	assert_true(task->volumes[0].efs.transit_encryption && task->volumes[0].efs.iam);
	assert_int_equal(task->volumes[0].efs.transit_encryption_port, 2049);
	assert_string_equal(task->volumes[0].efs.access_point_id, "ap");
	assert_false(task->volumes[1].efs.transit_encryption || task->volumes[1].efs.iam);
	assert_int_equal(task->volumes[2].type, VOLUME_FSX_WINDOWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_volumes),
		cmocka_unit_test(docker_volumes),
		cmocka_unit_test(network_volumes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

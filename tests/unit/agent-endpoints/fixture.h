/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_TESTS_AGENT_ENDPOINTS_FIXTURE_H
#define BERTH_TESTS_AGENT_ENDPOINTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/endpoints/document.h"
#include "wire/task.h"

/* JSON with ' in place of ": easier to read in C. The caller frees. */
char *quoted(const char *json);
struct task_spec *spec_of(const char *json);
/* A state of that task, RUNNING as far as it goes; runtime ids are "<id>-<name>-1". */
struct task_state *state_of(const char *json);

/* Fails with both texts when they differ; `expected` as for quoted(). */
void assert_json(const char *text, const char *expected);

#define ENI                                                                                        \
	"{'attachmentArn':'arn:att','ec2Id':'eni-1','macAddress':'0A:00:00:00:00:01',"             \
	"'ipv4Addresses':[{'primary':true,'privateAddress':'10.31.4.77'}],"                        \
	"'subnetGatewayIpv4Address':'10.31.4.1/24','domainNameServers':['10.31.0.2'],"             \
	"'domainName':['orchard.internal'],'privateDnsName':'ip-10-31-4-77.internal'}"

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/capability.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"

#define BIT(capability) (UINT64_C(1) << (capability))

uint64_t capability_default_set(void)
{
	return BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) |
	       BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) | BIT(CAP_SETGID) | BIT(CAP_SETUID) |
	       BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
	       BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);
}

uint64_t capability_host_set(void)
{
	uint64_t set = 0;

	for (unsigned capability = 0; capability <= CAP_LAST_CAP; capability++) {
		if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) > 0)
			set |= BIT(capability);
	}
	return set;
}

bool capability_has(uint64_t set, unsigned capability)
{
	return set & BIT(capability);
}

static int parse(const char *name, const char *option, cap_value_t *ret, struct error *err)
{
	_cleanup_free_ char *full =
		str_starts_with_nocase(name, "CAP_") ? xstrdup(name) : xasprintf("CAP_%s", name);

	/* libcap also takes a bare number. */
	if (full[4] < 'A' || cap_from_name(full, ret) < 0)
		return error_say(err, EINVAL, "invalid %s: unknown capability: \"%s\"", option,
				 full);
	return 0;
}

static int parse_list(const char *const *names, const char *option, uint64_t *ret_set,
		      bool *ret_all, struct error *err)
{
	*ret_set = 0;
	*ret_all = false;
	for (; names && *names; names++) {
		cap_value_t value = 0;
		int result;

		if (str_eq_nocase(*names, "ALL") || str_eq_nocase(*names, "CAP_ALL")) {
			*ret_all = true;
			continue;
		}
		result = parse(*names, option, &value, err);
		if (result < 0)
			return result;
		*ret_set |= BIT(value);
	}
	return 0;
}

int capability_choose(const char *const *add, const char *const *drop, bool privileged,
		      uint64_t host, uint64_t *ret, struct error *err)
{
	uint64_t added = 0, dropped = 0;
	bool add_all = false, drop_all = false;
	int result = parse_list(add, "CapAdd", &added, &add_all, err);

	if (result == 0)
		result = parse_list(drop, "CapDrop", &dropped, &drop_all, err);
	if (result < 0)
		return result;
	if (privileged) {
		*ret = host;
		return 0;
	}
	if (!add_all && (added & ~host)) {
		unsigned missing = 0;
		char *name;

		while (!capability_has(added & ~host, missing))
			missing++;
		name = cap_to_name((cap_value_t)missing);
		error_say(err, EPERM,
			  "capability %s is wanted, but this host does not let the agent give it: "
			  "it is not in "
			  "the agent's bounding set",
			  name ? name : "?");
		cap_free(name);
		return -EPERM;
	}
	if (add_all)
		*ret = host & ~dropped;
	else if (drop_all)
		*ret = added;
	else
		*ret = ((capability_default_set() & ~dropped) | added) & host;
	return 0;
}

void capability_append_json(struct strbuf *sb, uint64_t set)
{
	bool first = true;

	strbuf_append_char(sb, '[');
	for (unsigned capability = 0; capability <= CAP_LAST_CAP; capability++) {
		char *name;

		if (!capability_has(set, capability))
			continue;
		name = cap_to_name((cap_value_t)capability);
		/* The kernel may have more than our libcap: those have no name to be given by. */
		if (name && str_starts_with(name, "cap_")) {
			strbuf_append(sb, first ? "\"" : ",\"");
			for (const char *c = name; *c; c++)
				strbuf_append_char(sb,
						   *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c);
			strbuf_append_char(sb, '"');
			first = false;
		}
		cap_free(name);
	}
	strbuf_append_char(sb, ']');
}

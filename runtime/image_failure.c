/* SPDX-License-Identifier: Apache-2.0 */
/* ctr has one exit status for everything: what went wrong is in its words. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "runtime/image_parse.h"

const char *image_failure_name(enum image_failure failure)
{
	static const char *const names[] = {
		[IMAGE_OK] = "ok",
		[IMAGE_NOT_FOUND] = "not found",
		[IMAGE_UNAUTHORIZED] = "unauthorized",
		[IMAGE_UNREACHABLE] = "unreachable",
		[IMAGE_TIMEOUT] = "timeout",
		[IMAGE_STALLED] = "stalled",
		[IMAGE_NO_CONTAINERD] = "containerd is not running",
		[IMAGE_NO_SPACE] = "no space",
		[IMAGE_WRONG_PLATFORM] = "wrong platform",
		[IMAGE_CORRUPT] = "corrupt",
		[IMAGE_BAD_REFERENCE] = "bad reference",
		[IMAGE_CANCELLED] = "cancelled",
		[IMAGE_FAILED] = "failed",
	};

	return names[failure];
}

int image_failure_errno(enum image_failure failure)
{
	switch (failure) {
	case IMAGE_NOT_FOUND:
		return ENOENT;
	case IMAGE_UNAUTHORIZED:
		return EACCES;
	case IMAGE_UNREACHABLE:
		return EHOSTUNREACH;
	case IMAGE_TIMEOUT:
	case IMAGE_STALLED:
		return ETIMEDOUT;
	case IMAGE_NO_CONTAINERD:
		return ECONNREFUSED;
	case IMAGE_NO_SPACE:
		return ENOSPC;
	case IMAGE_WRONG_PLATFORM:
		return ENOEXEC;
	case IMAGE_CORRUPT:
		return EBADMSG;
	case IMAGE_BAD_REFERENCE:
		return EINVAL;
	case IMAGE_CANCELLED:
		return ECANCELED;
	default:
		return EIO;
	}
}

/* In this order: "no match for platform in manifest: not found" is no missing image, and a refused
 * connection to containerd is no unreachable registry. */
static const struct {
	const char *words;
	enum image_failure failure;
} known[] = {
	{ "failed to dial \"", IMAGE_NO_CONTAINERD },
	{ "dial unix", IMAGE_NO_CONTAINERD },
	{ "error reading from server: EOF", IMAGE_NO_CONTAINERD },
	{ "transport is closing", IMAGE_NO_CONTAINERD },
	{ "no space left on device", IMAGE_NO_SPACE },
	{ "disk quota exceeded", IMAGE_NO_SPACE },
	{ "no match for platform", IMAGE_WRONG_PLATFORM },
	{ "no matching manifest", IMAGE_WRONG_PLATFORM },
	{ "401 Unauthorized", IMAGE_UNAUTHORIZED },
	{ "403 Forbidden", IMAGE_UNAUTHORIZED },
	{ "authorization failed", IMAGE_UNAUTHORIZED },
	{ "pull access denied", IMAGE_UNAUTHORIZED },
	{ "no basic auth credentials", IMAGE_UNAUTHORIZED },
	{ "failed to fetch oauth token", IMAGE_UNAUTHORIZED },
	{ "failed to fetch anonymous token", IMAGE_UNAUTHORIZED },
	{ "unexpected commit digest", IMAGE_CORRUPT },
	{ "unexpected commit size", IMAGE_CORRUPT },
	{ "unexpected EOF", IMAGE_CORRUPT },
	{ "mismatched image rootfs", IMAGE_CORRUPT },
	{ "wrong diff id", IMAGE_CORRUPT },
	{ "failed to extract layer", IMAGE_CORRUPT },
	{ "invalid tar header", IMAGE_CORRUPT },
	{ "gzip: invalid", IMAGE_CORRUPT },
	{ "failed precondition", IMAGE_CORRUPT },
	{ "invalid reference", IMAGE_BAD_REFERENCE },
	{ "connection refused", IMAGE_UNREACHABLE },
	{ "no such host", IMAGE_UNREACHABLE },
	{ "no route to host", IMAGE_UNREACHABLE },
	{ "network is unreachable", IMAGE_UNREACHABLE },
	{ "connection reset", IMAGE_UNREACHABLE },
	{ "i/o timeout", IMAGE_UNREACHABLE },
	{ "TLS handshake", IMAGE_UNREACHABLE },
	{ "Client.Timeout", IMAGE_UNREACHABLE },
	{ "context deadline exceeded", IMAGE_UNREACHABLE },
	{ "x509: ", IMAGE_UNREACHABLE },
	{ "server gave HTTP response to HTTPS client", IMAGE_UNREACHABLE },
	{ "failed to do request", IMAGE_UNREACHABLE },
	{ "temporary failure in name resolution", IMAGE_UNREACHABLE },
	{ "not found", IMAGE_NOT_FOUND },
	{ "does not exist", IMAGE_NOT_FOUND },
};

enum image_failure image_failure_from_ctr(const char *errors, char **ret_text)
{
	_cleanup_str_list_ struct str_list lines = STR_LIST_INIT;
	const char *message = "ctr gave no reason";
	bool found = false;

	str_list_split(&lines, errors, '\n', false);
	for (size_t i = 0; i < lines.count; i++) {
		/* The others are its log: attempts that another host made good, perhaps. */
		bool is_result = str_starts_with(lines.items[i], "ctr: ");

		if (is_result || !found)
			message = lines.items[i] + (is_result ? strlen("ctr: ") : 0);
		found |= is_result;
	}
	*ret_text = xstrdup(message);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strstr(message, known[i].words))
			return known[i].failure;
	}
	return IMAGE_FAILED;
}

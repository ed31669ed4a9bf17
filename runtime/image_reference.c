/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/image_reference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/image_parse.h"

#define REFERENCE_MAX 512
#define TAG_MAX       128

static const char alphanumeric[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char tag_characters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
static const char host_characters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

void image_reference_free(struct image_reference *reference)
{
	free(reference->host);
	free(reference->repository);
	free(reference->tag);
	free(reference->digest);
	*reference = (struct image_reference){ 0 };
}

/* The first part names a host when it cannot be the first part of a repository: it has a dot, a
 * port, or is "localhost". */
static bool is_host(const char *text, size_t length)
{
	return memchr(text, '.', length) || memchr(text, ':', length) ||
	       (length == strlen("localhost") && strncmp(text, "localhost", length) == 0);
}

/* Lower-case words, joined by ".", "_", "__" or dashes, in parts separated by "/". */
static bool is_repository(const char *text)
{
	while (*text) {
		size_t length = strspn(text, alphanumeric), joint;

		if (!length)
			return false;
		text += length;
		if (!*text)
			return true;
		joint = strspn(text, "-");
		if (!joint)
			joint = text[0] == '.' || text[0] == '/'   ? 1
				: text[0] == '_' && text[1] == '_' ? 2
				: text[0] == '_'                   ? 1
								   : 0;
		if (!joint)
			return false;
		text += joint;
	}
	return false;
}

static int refuse(const char *text, const char *why, struct error *err)
{
	return error_say(err, EINVAL, "image \"%.200s\": invalid reference format: %s", text, why);
}

int image_reference_parse(const char *text, struct image_reference *ret, struct error *err)
{
	_cleanup_image_reference_ struct image_reference reference = { 0 };
	_cleanup_free_ char *name = NULL;
	const char *at, *slash, *colon, *path;

	if (!*text)
		return refuse(text, "it is empty", err);
	if (strlen(text) > REFERENCE_MAX)
		return refuse(text, "it is too long", err);
	at = strchr(text, '@');
	if (at) {
		if (!image_digest_is_valid(at + 1))
			return refuse(text, "the digest must be sha256: and 64 hexadecimal digits",
				      err);
		reference.digest = xstrdup(at + 1);
	}
	name = xstrndup(text, at ? (size_t)(at - text) : strlen(text));
	slash = strrchr(name, '/');
	colon = strrchr(name, ':');
	if (colon && (!slash || colon > slash)) {
		reference.tag = xstrdup(colon + 1);
		name[colon - name] = '\0';
		if (!*reference.tag || strlen(reference.tag) > TAG_MAX ||
		    strspn(reference.tag, tag_characters) != strlen(reference.tag) ||
		    strchr(".-", reference.tag[0]))
			return refuse(text, "the tag is none", err);
	}

	path = strchr(name, '/');
	if (path && is_host(name, (size_t)(path - name))) {
		reference.host = xstrndup(name, (size_t)(path - name));
		if (!*reference.host ||
		    strspn(reference.host, host_characters) != strlen(reference.host) ||
		    reference.host[0] == '.' || reference.host[0] == '-')
			return refuse(text, "the registry's host is none", err);
		reference.repository = xstrdup(path + 1);
		/* Docker Hub has an older name. */
		if (str_eq(reference.host, "index.docker.io"))
			str_replace(&reference.host, "docker.io");
	} else {
		reference.host = xstrdup("docker.io");
		reference.repository = xstrdup(name);
	}
	if (str_eq(reference.host, "docker.io") && !strchr(reference.repository, '/')) {
		_cleanup_free_ char *official = xasprintf("library/%s", reference.repository);

		str_replace(&reference.repository, official);
	}
	if (!is_repository(reference.repository))
		return refuse(text,
			      "repository name must be lowercase letters, digits and separators",
			      err);
	if (!reference.tag && !reference.digest)
		reference.tag = xstrdup("latest");
	*ret = (struct image_reference){ 0 };
	ret->host = TAKE(reference.host);
	ret->repository = TAKE(reference.repository);
	ret->tag = TAKE(reference.tag);
	ret->digest = TAKE(reference.digest);
	return 0;
}

char *image_reference_complete(const struct image_reference *reference)
{
	if (reference->digest)
		return xasprintf("%s/%s@%s", reference->host, reference->repository,
				 reference->digest);
	return xasprintf("%s/%s:%s", reference->host, reference->repository, reference->tag);
}

char *image_name_complete(const char *text)
{
	_cleanup_image_reference_ struct image_reference reference = { 0 };

	return image_reference_parse(text, &reference, NULL) == 0
		       ? image_reference_complete(&reference)
		       : xstrdup(text);
}

int image_name_check(const char *text, struct error *err)
{
	_cleanup_image_reference_ struct image_reference reference = { 0 };
	_cleanup_free_ char *complete = NULL;
	int result = image_reference_parse(text, &reference, err);

	if (result < 0)
		return result;
	complete = image_reference_complete(&reference);
	if (!str_eq(text, complete))
		return error_say(err, EINVAL, "image \"%.200s\": the complete name is %s", text,
				 complete);
	return 0;
}

bool image_reference_is_loopback(const struct image_reference *reference)
{
	const char *host = reference->host;

	return str_eq(host, "localhost") || str_starts_with(host, "localhost:") ||
	       str_starts_with(host, "127.") || str_eq(host, "[::1]") ||
	       str_starts_with(host, "[::1]:");
}

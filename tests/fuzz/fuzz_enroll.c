/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes from who has no identity yet: the first byte chooses between a token, the body of an
 * enrolment, a request for a certificate (base64), the answer with one, and a certificate.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/certificate.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "wire/enroll.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_token(const char *text)
{
	struct enroll_token token, again;
	_cleanup_free_ char *written = NULL;

	if (enroll_token_parse(text, &token, NULL) < 0)
		return;
	written = enroll_token_format(&token);
	if (enroll_token_parse(written, &again, NULL) < 0 ||
	    memcmp(&token, &again, sizeof(token)) != 0)
		abort();
}

/* What is accepted is within its bounds, and comes back the same. */
static void try_body(const char *text, size_t size)
{
	struct enroll_request request, again;
	_cleanup_free_ char *written = NULL;

	if (enroll_decode_request(text, size, size % 2, &request, NULL) < 0)
		return;
	if (strlen(request.name) > ENROLL_NAME_MAX ||
	    strlen(request.request) > CERTIFICATE_REQUEST_LIMIT)
		abort();
	written = enroll_encode_request(&request);
	if (enroll_decode_request(written, strlen(written), *request.token_id != '\0', &again,
				  NULL) < 0 ||
	    !str_eq(request.name, again.name) || !str_eq(request.request, again.request))
		abort();
	enroll_request_clear(&request);
	enroll_request_clear(&again);
}

static void try_request(const char *base64)
{
	_cleanup_key_ EVP_PKEY *key = NULL;
	char fingerprint[FINGERPRINT_SIZE];

	if (certificate_request_read(base64, &key, NULL) == 0 &&
	    certificate_key_fingerprint(key, fingerprint, NULL) < 0)
		abort();
}

/* A corpus that says DER: what libFuzzer changes in base64 is seldom base64. */
static void try_raw_request(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *base64 = base64_encode(data, size);

	try_request(base64);
}

static void try_certificate(const char *text, size_t size)
{
	_cleanup_certificate_ X509 *certificate = NULL;
	char id[IDENTITY_SIZE] = "";

	if (certificate_parse(text, size, &certificate, NULL) < 0)
		return;
	if (certificate_identity(certificate, id) && !identity_is_valid(id))
		abort();
	certificate_from_ms(certificate);
	certificate_until_ms(certificate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *pem = NULL;

	if (size == 0)
		return 0;
	text = xstrndup((const char *)data + 1, size - 1);
	if (data[0] == 't')
		try_token(text);
	else if (data[0] == 'b')
		try_body((const char *)data + 1, size - 1);
	else if (data[0] == 'r')
		try_request(text);
	else if (data[0] == 'd')
		try_raw_request(data + 1, size - 1);
	else if (data[0] == 'c')
		try_certificate((const char *)data + 1, size - 1);
	else
		enroll_decode_answer((const char *)data + 1, size - 1, &pem, NULL);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "control-plane/identity/command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/http.h"
#include "base/loop.h"
#include "base/number.h"
#include "base/str.h"
#include "base/strbuf.h"

#define SECOND_MS INT64_C(1000)
#define DAY_MS    (24 * 3600 * SECOND_MS)

static const char usage[] =
	"Usage: berth-control token create --identity DIR [--expires TIME] [--uses NUMBER] "
	"[--cluster NAME]\n"
	"       berth-control token list --identity DIR\n"
	"       berth-control token revoke --identity DIR TOKEN\n"
	"       berth-control identity list --identity DIR\n"
	"       berth-control identity revoke --identity DIR IDENTITY\n"
	"Tokens enrol agents, and agents have identities. The control plane that runs on DIR is "
	"asked.\n"
	"\n"
	"      --identity DIR     the directory that berth-control was started with\n"
	"      --expires TIME     how long the token can be used: 90s, 15m, 1h, 7d (1h)\n"
	"      --uses NUMBER      how many agents it enrols (1)\n"
	"      --cluster NAME     the only cluster that they may join (any)\n"
	"  -h, --help             show this text\n";

struct command {
	const char *directory;
	const char *cluster;
	const char *uses;
	int64_t life_ms;
	struct loop *loop;
	int status;
};

bool command_is(const char *word)
{
	return str_eq(word, "token") || str_eq(word, "identity");
}

int command_parse_life(const char *text, int64_t min_ms, int64_t max_ms, int64_t *ret_ms,
		       struct error *err)
{
	static const struct {
		char letter;
		int64_t ms;
	} units[] = {
		{ 's', SECOND_MS },
		{ 'm', 60 * SECOND_MS },
		{ 'h', 3600 * SECOND_MS },
		{ 'd', DAY_MS },
	};
	size_t length = strlen(text);
	int64_t number, unit = 0;

	for (size_t i = 0; length > 1 && i < sizeof(units) / sizeof(units[0]); i++)
		if (text[length - 1] == units[i].letter)
			unit = units[i].ms;
	if (unit) {
		_cleanup_free_ char *digits = xstrndup(text, length - 1);

		if (number_parse_i64(digits, 0, INT32_MAX, &number, NULL) < 0)
			unit = 0;
	}
	if (!unit)
		return error_say(
			err, EINVAL,
			"%s: must be a number and one of s, m, h and d, such as 90s or 12h", text);
	if (number * unit < min_ms || number * unit > max_ms)
		return error_say(err, ERANGE, "%s: must be from %llds to %lldd", text,
				 (long long)(min_ms / SECOND_MS), (long long)(max_ms / DAY_MS));
	*ret_ms = number * unit;
	return 0;
}

enum { OPTION_IDENTITY = 1000, OPTION_EXPIRES, OPTION_USES, OPTION_CLUSTER };

static const struct option long_options[] = {
	{ "identity", required_argument, NULL, OPTION_IDENTITY },
	{ "expires", required_argument, NULL, OPTION_EXPIRES },
	{ "uses", required_argument, NULL, OPTION_USES },
	{ "cluster", required_argument, NULL, OPTION_CLUSTER },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int set_option(struct command *command, int option, const char *value, struct error *err)
{
	int r;

	switch (option) {
	case OPTION_IDENTITY:
		command->directory = value;
		return 0;
	case OPTION_USES:
		command->uses = value;
		return 0;
	case OPTION_CLUSTER:
		command->cluster = value;
		return 0;
	case OPTION_EXPIRES:
		r = command_parse_life(value, SECOND_MS, 366 * DAY_MS, &command->life_ms, err);
		if (r < 0)
			error_prefix(err, "--expires");
		return r;
	default:
		return error_say(err, EINVAL, "see berth-control token --help");
	}
}

static void append_param(struct strbuf *url, char before, const char *name, const char *value)
{
	strbuf_append_char(url, before);
	strbuf_appendf(url, "%s=", name);
	strbuf_append_formencoded(url, value);
}

/* The request that the words mean; *ret_get: it changes nothing. */
static int make_url(const struct command *command, char **words, int count, char **ret_url,
		    bool *ret_get, struct error *err)
{
	_cleanup_strbuf_ struct strbuf url = STRBUF_INIT;
	const char *verb = count > 1 ? words[1] : "";
	bool creates = str_eq(words[0], "token") && str_eq(verb, "create");
	bool lists = str_eq(verb, "list");
	bool revokes = str_eq(verb, "revoke");

	if ((!creates && !lists && !revokes) || count != (revokes ? 3 : 2))
		return error_say(err, EINVAL, "see berth-control %s --help", words[0]);
	strbuf_appendf(&url, "http://berth-control/%s/%s", words[0], verb);
	if (creates) {
		append_param(&url, '?', "uses", command->uses);
		strbuf_appendf(&url, "&life_ms=%lld", (long long)command->life_ms);
		if (command->cluster)
			append_param(&url, '&', "cluster", command->cluster);
	} else if (revokes) {
		append_param(&url, '?', "id", words[2]);
	}
	*ret_get = lists;
	*ret_url = strbuf_take(&url);
	return 0;
}

static void on_response(void *data, const struct http_response *response)
{
	struct command *command = data;

	if (response->error == -ENOENT || response->error == -ECONNREFUSED)
		fprintf(stderr, "berth-control: no control plane runs with --identity %s\n",
			command->directory);
	else if (response->error)
		fprintf(stderr, "berth-control: %s\n", response->err.text);
	else if (response->status != 200)
		fprintf(stderr, "berth-control: %s", response->body);
	else
		fputs(response->body, stdout);
	command->status = !response->error && response->status == 200 ? 0 : 1;
	loop_stop(command->loop);
}

static int ask(struct command *command, const char *url, bool get, struct error *err)
{
	_cleanup_free_ char *socket = xasprintf("%s/control.sock", command->directory);
	const struct http_request request = {
		.method = get ? "GET" : "POST",
		.url = url,
		.unix_socket = socket,
	};
	struct http_client *http = NULL;
	int r;

	r = loop_new(&command->loop, err);
	if (r < 0)
		return r;
	r = http_client_new(command->loop, NULL, &http, err);
	if (r == 0)
		r = http_send(http, &request, on_response, command, NULL, err);
	if (r == 0)
		loop_run(command->loop);
	if (http)
		http_client_free(http);
	loop_free(command->loop);
	return r;
}

int command_run(int argc, char **argv)
{
	struct command command = { .uses = "1", .life_ms = 3600 * SECOND_MS, .status = 1 };
	_cleanup_free_ char *url = NULL;
	struct error err = ERROR_INIT;
	bool get = false;
	int option, r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		r = set_option(&command, option, optarg, &err);
	}
	if (r == 0)
		r = make_url(&command, argv + optind, argc - optind, &url, &get, &err);
	if (r == 0 && !command.directory)
		r = error_say(&err, EINVAL,
			      "--identity DIR is missing: the directory that berth-control was "
			      "started with");
	if (r < 0) {
		fprintf(stderr, "berth-control: %s\n", err.text);
		return 2;
	}
	if (ask(&command, url, get, &err) < 0)
		fprintf(stderr, "berth-control: %s\n", err.text);
	return command.status;
}

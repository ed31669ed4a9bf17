/* SPDX-License-Identifier: Apache-2.0 */
/* berth-control: reads its options, then wires store, task service, agents' sessions and API
 * together. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/number.h"
#include "base/str.h"
#include "base/version.h"
#include "base/web.h"
#include "control-plane/api/dispatch.h"
#include "control-plane/api/http.h"
#include "control-plane/identity/command.h"
#include "control-plane/identity/identity.h"
#include "control-plane/services/services.h"
#include "control-plane/sessions/sessions.h"
#include "control-plane/store/clusters.h"
#include "control-plane/store/store.h"

#define DEFAULT_LISTEN          "127.0.0.1:4510"
#define DEFAULT_REGION          "us-east-1"
#define DEFAULT_ACCOUNT         "000000000000"
#define DEFAULT_SUBNET          "10.99.0.0/24"
#define SUBNETS_MAX             16
#define CERTIFICATE_LIFE_MIN_MS (INT64_C(10) * 1000)
#define CERTIFICATE_LIFE_MAX_MS (INT64_C(3650) * 24 * 3600 * 1000)
#define KEY_FILE_MAX            ((size_t)16 * 1024)
/* More than the API takes, so that it can say so in its own words. */
#define BODY_LIMIT (4 * API_BODY_LIMIT)

struct keys {
	char *access_key;
	char *secret_key;
	char *session_token;
};

struct options {
	const char *listen;
	const char *data;
	const char *region;
	const char *account;
	const char *cluster;
	const char *advertise;
	const char *zone;
	struct services_subnet subnets[SUBNETS_MAX];
	char *subnet_texts[SUBNETS_MAX]; /* what the strings of subnets point into */
	size_t subnet_count;
	struct keys caller;        /* who may call; without: everybody */
	struct keys role;          /* what tasks get */
	const char *identity;      /* directory; NULL: agents have none, and there is no TLS */
	struct str_list tls_names; /* of the server, beside those that are seen */
	int64_t certificate_life_ms;
	bool require_identity;
	double time_scale;
	struct log_config log;
};

struct control {
	struct options options;
	struct loop *loop;
	struct store *store;
	struct services *services;
	struct sessions *sessions;
	struct web *web;
	struct web_listener *listener;
	struct identity *identity; /* NULL: without */
	struct api api;
	struct loop_signal *signals[2];
	bool stopping;
};

static const char usage[] =
	"Usage: berth-control [OPTION]...\n"
	"       berth-control token|identity COMMAND --identity DIR (see berth-control token "
	"--help)\n"
	"A local Amazon ECS: the API for clients and the sessions of agents, on one port.\n"
	"\n"
	"      --listen ADDRESS:PORT  where to listen; port 0 takes a free one (" DEFAULT_LISTEN
	")\n"
	"      --data FILE            the state; :memory: forgets it at the end (:memory:)\n"
	"      --region NAME          region in ARNs (" DEFAULT_REGION ")\n"
	"      --account ID           account in ARNs, 12 digits (" DEFAULT_ACCOUNT ")\n"
	"      --zone NAME            availability zone of instances that name none (region + a)\n"
	"      --cluster NAME         create this cluster at the start (default)\n"
	"      --subnet CIDR[,ipv6=CIDR][,id=ID][,zone=ZONE][,gateway=IP][,dns=IP]\n"
	"                             addresses for awsvpc tasks; may be repeated\n"
	"                             (" DEFAULT_SUBNET ",id=subnet-berth)\n"
	"      --advertise URL        endpoint that agents are told, when it is not the one that "
	"they\n"
	"                             have called\n"
	"      --keys FILE            take only calls signed with this key pair\n"
	"      --role-credentials FILE|environment\n"
	"                             credentials that tasks with a role get (made up)\n"
	"      --identity DIR         serve TLS, and give agents identities of their own by "
	"tokens; DIR\n"
	"                             holds a certificate authority, made when there is none\n"
	"      --tls-name NAME        a further DNS name or address of this server; may be "
	"repeated\n"
	"      --certificate-life TIME  of agents' certificates, which they renew (90d)\n"
	"      --require-identity     refuse agents without an identity\n"
	"      --time-scale NUMBER    multiply every timer: for tests (1)\n"
	"      --log-level LEVEL      debug, info, warn, error, critical or none (info)\n"
	"      --json                 write the log as JSON\n"
	"  -h, --help                 show this text\n"
	"  -V, --version              show the version\n"
	"\n"
	"Key files are those of the AWS tools: aws_access_key_id = ..., aws_secret_access_key = "
	"...,\n"
	"aws_session_token = ...\n";

static void keys_clear(struct keys *keys)
{
	free(keys->access_key);
	free(keys->secret_key);
	free(keys->session_token);
	*keys = (struct keys){ 0 };
}

/* "name = value" lines; sections and comments are passed over. */
static int keys_parse(char *text, const char *path, struct keys *keys, struct error *err)
{
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		char *value = strchr(line, '=');
		char *name = line;

		if (!value)
			continue;
		*value++ = '\0';
		name = str_trim_in_place(name);
		value = str_trim_in_place(value);
		if (str_eq(name, "aws_access_key_id"))
			str_replace(&keys->access_key, value);
		else if (str_eq(name, "aws_secret_access_key"))
			str_replace(&keys->secret_key, value);
		else if (str_eq(name, "aws_session_token"))
			str_replace(&keys->session_token, value);
	}
	if (str_is_empty(keys->access_key) || str_is_empty(keys->secret_key))
		return error_say(err, EINVAL,
				 "read keys from %s: it needs aws_access_key_id and "
				 "aws_secret_access_key",
				 path);
	return 0;
}

static int keys_read(const char *path, struct keys *keys, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	r = file_read(AT_FDCWD, path, KEY_FILE_MAX, &text, &size, err);
	return r < 0 ? r : keys_parse(text, path, keys, err);
}

static int role_keys_read(const char *source, struct keys *keys, struct error *err)
{
	const char *access_key = getenv("AWS_ACCESS_KEY_ID");
	const char *secret_key = getenv("AWS_SECRET_ACCESS_KEY");

	if (!str_eq(source, "environment"))
		return keys_read(source, keys, err);
	if (str_is_empty(access_key) || str_is_empty(secret_key))
		return error_say(err, EINVAL,
				 "--role-credentials environment: AWS_ACCESS_KEY_ID and "
				 "AWS_SECRET_ACCESS_KEY are not set");
	str_replace(&keys->access_key, access_key);
	str_replace(&keys->secret_key, secret_key);
	str_replace(&keys->session_token, getenv("AWS_SESSION_TOKEN"));
	return 0;
}

/* CIDR[,ipv6=CIDR][,id=..][,zone=..][,gateway=..][,dns=..]; whether the CIDR is one is the task
 * service's to say. One of IPv6 at the beginning is a subnet without IPv4. */
static int add_subnet(struct options *options, const char *argument, struct error *err)
{
	struct services_subnet subnet = { .id = NULL };
	char *rest, *part;

	if (options->subnet_count == SUBNETS_MAX)
		return error_say(err, E2BIG, "--subnet: at most %d subnets are possible",
				 SUBNETS_MAX);
	rest = options->subnet_texts[options->subnet_count] = xstrdup(argument);
	part = strsep(&rest, ",");
	*(strchr(part, ':') ? &subnet.ipv6_cidr : &subnet.cidr) = part;
	while ((part = strsep(&rest, ","))) {
		char *value = strchr(part, '=');

		if (value)
			*value++ = '\0';
		if (value && str_eq(part, "ipv6") && !subnet.ipv6_cidr)
			subnet.ipv6_cidr = value;
		else if (value && str_eq(part, "id"))
			subnet.id = value;
		else if (value && str_eq(part, "zone"))
			subnet.zone = value;
		else if (value && str_eq(part, "gateway"))
			subnet.gateway = value;
		else if (value && str_eq(part, "dns"))
			subnet.dns_server = value;
		else
			return error_say(err, EINVAL,
					 "--subnet %s: '%s' is not one of ipv6=, id=, zone=, "
					 "gateway= and dns=",
					 argument, part);
	}
	if (!subnet.id && options->subnet_count > 0)
		return error_say(err, EINVAL,
				 "--subnet %s: only the first subnet is named by itself "
				 "(subnet-berth): add ,id=subnet-...",
				 argument);
	if (!subnet.id)
		subnet.id = "subnet-berth";
	options->subnets[options->subnet_count++] = subnet;
	return 0;
}

static int check_account(const char *account, struct error *err)
{
	if (strlen(account) != 12 || strspn(account, "0123456789") != 12)
		return error_say(err, EINVAL, "--account %s: must be 12 digits", account);
	return 0;
}

static int check_word(const char *option, const char *text, struct error *err)
{
	size_t length =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	if (length == 0 || length > 255 || text[length] != '\0')
		return error_say(err, EINVAL, "--%s %s: must be up to 255 letters, digits, - and _",
				 option, text);
	return 0;
}

enum option_value {
	OPTION_LISTEN = 1000,
	OPTION_DATA,
	OPTION_REGION,
	OPTION_ACCOUNT,
	OPTION_ZONE,
	OPTION_CLUSTER,
	OPTION_SUBNET,
	OPTION_ADVERTISE,
	OPTION_KEYS,
	OPTION_ROLE,
	OPTION_IDENTITY,
	OPTION_TLS_NAME,
	OPTION_CERTIFICATE_LIFE,
	OPTION_REQUIRE_IDENTITY,
	OPTION_TIME_SCALE,
	OPTION_LOG_LEVEL,
	OPTION_JSON,
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "data", required_argument, NULL, OPTION_DATA },
	{ "region", required_argument, NULL, OPTION_REGION },
	{ "account", required_argument, NULL, OPTION_ACCOUNT },
	{ "zone", required_argument, NULL, OPTION_ZONE },
	{ "cluster", required_argument, NULL, OPTION_CLUSTER },
	{ "subnet", required_argument, NULL, OPTION_SUBNET },
	{ "advertise", required_argument, NULL, OPTION_ADVERTISE },
	{ "keys", required_argument, NULL, OPTION_KEYS },
	{ "role-credentials", required_argument, NULL, OPTION_ROLE },
	{ "identity", required_argument, NULL, OPTION_IDENTITY },
	{ "tls-name", required_argument, NULL, OPTION_TLS_NAME },
	{ "certificate-life", required_argument, NULL, OPTION_CERTIFICATE_LIFE },
	{ "require-identity", no_argument, NULL, OPTION_REQUIRE_IDENTITY },
	{ "time-scale", required_argument, NULL, OPTION_TIME_SCALE },
	{ "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int set_certificate_life(struct options *options, const char *value, struct error *err)
{
	int r = command_parse_life(value, CERTIFICATE_LIFE_MIN_MS, CERTIFICATE_LIFE_MAX_MS,
				   &options->certificate_life_ms, err);

	if (r < 0)
		error_prefix(err, "--certificate-life");
	return r;
}

static int set_option(struct options *options, int option, const char *value, struct error *err)
{
	switch (option) {
	case OPTION_LISTEN:
		options->listen = value;
		return 0;
	case OPTION_DATA:
		options->data = value;
		return 0;
	case OPTION_REGION:
		options->region = value;
		return check_word("region", value, err);
	case OPTION_ACCOUNT:
		options->account = value;
		return check_account(value, err);
	case OPTION_ZONE:
		options->zone = value;
		return check_word("zone", value, err);
	case OPTION_CLUSTER:
		options->cluster = value;
		return check_word("cluster", value, err);
	case OPTION_SUBNET:
		return add_subnet(options, value, err);
	case OPTION_ADVERTISE:
		options->advertise = value;
		if (!str_starts_with(value, "http://") && !str_starts_with(value, "https://"))
			return error_say(err, EINVAL,
					 "--advertise %s: must start with http:// or https://",
					 value);
		return 0;
	case OPTION_KEYS:
		return keys_read(value, &options->caller, err);
	case OPTION_ROLE:
		return role_keys_read(value, &options->role, err);
	case OPTION_IDENTITY:
		options->identity = value;
		return 0;
	case OPTION_TLS_NAME:
		str_list_add(&options->tls_names, value);
		return identity_is_name(value)
			       ? 0
			       : error_say(err, EINVAL,
					   "--tls-name %s: must be a DNS name or an address",
					   value);
	case OPTION_CERTIFICATE_LIFE:
		return set_certificate_life(options, value, err);
	case OPTION_REQUIRE_IDENTITY:
		options->require_identity = true;
		return 0;
	case OPTION_TIME_SCALE:
		if (number_parse_double(value, 0.001, 1000, &options->time_scale, NULL) < 0)
			return error_say(err, EINVAL,
					 "--time-scale %s: must be a number from 0.001 to 1000",
					 value);
		return 0;
	case OPTION_LOG_LEVEL:
		if (!log_level_parse(value, &options->log.level))
			return error_say(err, EINVAL,
					 "--log-level %s: must be debug, info, warn, error, "
					 "critical or none",
					 value);
		return 0;
	default:
		options->log.format = LOG_FORMAT_JSON;
		return 0;
	}
}

/* 0: go on; 1: done, all well; < 0: refused, with the reason in err. */
static int read_options(int argc, char **argv, struct options *options, struct error *err)
{
	int option;
	int r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		switch (option) {
		case 'h':
			fputs(usage, stdout);
			return 1;
		case 'V':
			printf("berth-control %s (%s)\n", berth_version(), berth_commit());
			return 1;
		case '?':
			return error_say(err, EINVAL, "see berth-control --help");
		default:
			r = set_option(options, option, optarg, err);
		}
	}
	if (r < 0)
		return r;
	if (optind < argc)
		return error_say(err, EINVAL, "%s: berth-control takes options only, see --help",
				 argv[optind]);
	if (options->require_identity && !options->identity)
		return error_say(err, EINVAL,
				 "--require-identity: agents get one with --identity DIR only");
	return options->subnet_count > 0 ? 0 : add_subnet(options, DEFAULT_SUBNET, err);
}

/* "127.0.0.1:4510", "[::1]:4510" */
static int split_address(const char *text, char **ret_address, uint16_t *ret_port,
			 struct error *err)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	int64_t port;

	if (!colon || length == 0 || number_parse_i64(colon + 1, 0, 65535, &port, NULL) < 0)
		return error_say(err, EINVAL,
				 "--listen %s: must be ADDRESS:PORT with a port from 0 to 65535",
				 text);
	if (text[0] == '[' && text[length - 1] == ']')
		*ret_address = xstrndup(text + 1, length - 2);
	else
		*ret_address = xstrndup(text, length);
	*ret_port = (uint16_t)port;
	return 0;
}

/* As CreateCluster would; nothing when the cluster is there. */
static int create_cluster(struct control *control, struct error *err)
{
	_cleanup_free_ char *body = xasprintf("{\"clusterName\":\"%s\"}", control->options.cluster);
	const struct api_request create = { .target = API_TARGET_PREFIX "CreateCluster",
					    .body = body,
					    .size = strlen(body) };
	_cleanup_(cluster_row_clear) struct cluster_row row = { 0 };
	struct api_response response = { 0 };
	int r;

	r = cluster_get(control->store, control->options.cluster, &row, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && str_eq(row.status, "ACTIVE"))
		return 0;
	api_dispatch(&control->api, &create, &response);
	r = response.status == 200 ? 0
				   : error_say(err, EIO, "create cluster %s: %s",
					       control->options.cluster, response.body);
	api_response_clear(&response);
	return r;
}

static void stopped(void *data)
{
	struct control *control = data;

	loop_stop(control->loop);
}

/* The first signal says goodbye to the agents, the second one does not wait for it. */
static void on_signal(void *data, int signum)
{
	struct control *control = data;

	if (control->stopping) {
		loop_stop(control->loop);
		return;
	}
	control->stopping = true;
	log_info("stopping", "signal", signum == SIGINT ? "SIGINT" : "SIGTERM");
	sessions_stop(control->sessions, stopped, control);
}

static void on_request(void *data, struct web_request *request)
{
	struct control *control = data;

	if (!control->identity || !identity_http_request(control->identity, request))
		api_http_request(&control->api, request);
}

static void on_upgrade(void *data, struct web_request *request)
{
	struct control *control = data;

	sessions_upgrade(control->sessions, request);
}

static void on_revoked(void *data, const char *identity)
{
	struct control *control = data;

	sessions_identity_revoked(control->sessions, identity);
}

static int open_identity(struct control *control, const char *address, struct error *err)
{
	const struct options *options = &control->options;
	const struct identity_config config = {
		.directory = options->identity,
		.listen = address,
		.advertise = options->advertise,
		.names = &options->tls_names,
		.life_ms = options->certificate_life_ms,
		.store = control->store,
		.web = control->web,
		.revoked = on_revoked,
		.data = control,
	};

	if (!options->identity)
		return 0;
	if (str_eq(options->data, ":memory:"))
		log_warn("agents are forgotten at the end, and have to be enrolled again: use "
			 "--data FILE");
	return identity_new(&config, &control->identity, err);
}

static int listen_on(struct control *control, struct error *err)
{
	_cleanup_free_ char *address = NULL;
	struct web_listener_config config = {
		.listen_fd = -1,
		.body_limit = BODY_LIMIT,
		.on_request = on_request,
		.on_upgrade = on_upgrade,
		.data = control,
	};
	int r;

	r = split_address(control->options.listen, &address, &config.port, err);
	if (r < 0)
		return r;
	config.address = address;
	r = open_identity(control, address, err);
	if (r < 0)
		return r;
	if (control->identity)
		identity_listener(control->identity, &config);
	r = web_listen(control->web, &config, &control->listener, err);
	if (r < 0)
		return r;
	if (!control->options.caller.access_key && !str_starts_with(address, "127.") &&
	    !str_eq(address, "::1"))
		log_warn("whoever reaches this address can run containers on the hosts of the "
			 "clusters: use --keys",
			 "address", address);
	log_info("listening", "address", address, "port",
		 LOG_NUM(web_listener_port(control->listener)), "data", control->options.data);
	return 0;
}

static int start(struct control *control, struct error *err)
{
	const struct options *options = &control->options;
	const struct store_config store = {
		.path = options->data,
		.region = options->region,
		.account = options->account,
	};
	const struct services_config services = {
		.region = options->region,
		.account = options->account,
		.subnets = options->subnets,
		.subnet_count = options->subnet_count,
		.role_credentials = { options->role.access_key, options->role.secret_key,
				      options->role.session_token },
		.time_scale = options->time_scale,
	};
	const struct sessions_config sessions = {
		.access_key = options->caller.access_key,
		.secret_key = options->caller.secret_key,
		.require_identity = options->require_identity,
		.time_scale = options->time_scale,
	};

	if (store_open(&store, &control->store, err) < 0 || loop_new(&control->loop, err) < 0 ||
	    web_new(control->loop, NULL, &control->web, err) < 0 ||
	    services_new(control->loop, control->store, &services, &control->services, err) < 0 ||
	    sessions_new(control->loop, control->store, control->services, &sessions,
			 &control->sessions, err) < 0)
		return -err->code;
	control->api = (struct api){
		.store = control->store,
		.services = control->services,
		.config = { .endpoint = options->advertise,
			    .tls = options->identity != NULL,
			    .require_identity = options->require_identity,
			    .access_key = options->caller.access_key,
			    .secret_key = options->caller.secret_key,
			    .default_zone = options->zone },
	};
	if (create_cluster(control, err) < 0 ||
	    loop_signal_new(control->loop, SIGTERM, on_signal, control, &control->signals[0], err) <
		    0 ||
	    loop_signal_new(control->loop, SIGINT, on_signal, control, &control->signals[1], err) <
		    0)
		return -err->code;
	return listen_on(control, err);
}

static void finish(struct control *control)
{
	if (control->listener)
		web_listener_free(control->listener);
	for (size_t i = 0; i < 2; i++)
		if (control->signals[i])
			loop_signal_free(control->signals[i]);
	identity_free(control->identity);
	if (control->sessions)
		sessions_free(control->sessions);
	if (control->services)
		services_free(control->services);
	if (control->web)
		web_free(control->web);
	if (control->loop)
		loop_free(control->loop);
	store_close(control->store);
	for (size_t i = 0; i < SUBNETS_MAX; i++)
		free(control->options.subnet_texts[i]);
	str_list_free(&control->options.tls_names);
	keys_clear(&control->options.caller);
	keys_clear(&control->options.role);
	log_close();
}

int main(int argc, char **argv)
{
	struct control control = {
		.options = {
			.listen = DEFAULT_LISTEN,
			.data = ":memory:",
			.region = DEFAULT_REGION,
			.account = DEFAULT_ACCOUNT,
			.cluster = "default",
			.certificate_life_ms = IDENTITY_LIFE_DEFAULT_MS,
			.time_scale = 1,
			.log = { .level = LOG_INFO, .file_level = LOG_NONE, .console_fd = 2 },
		},
	};
	struct error err = ERROR_INIT;
	int r;

	if (argc > 1 && command_is(argv[1]))
		return command_run(argc, argv);
	r = read_options(argc, argv, &control.options, &err);
	if (r != 0) {
		if (r < 0)
			fprintf(stderr, "berth-control: %s\n", err.text);
		finish(&control);
		return r < 0 ? 2 : 0;
	}
	r = log_open(&control.options.log, &err);
	if (r == 0)
		r = start(&control, &err);
	if (r == 0)
		loop_run(control.loop);
	else
		log_critical("berth-control can not start", "error", err.text);
	finish(&control);
	return r == 0 ? 0 : 1;
}

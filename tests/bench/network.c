/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-network PLUGIN-DIRECTORY [ROUNDS]: what a task's network costs, on a host of the program's
 * own; one row "name value" for each figure. tests/bench/network.py makes a table of them.
 */
#include "network.h"

#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/executor/cni.h"
#include "agent/executor/cni_awsvpc.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "cni-plugins/eni.h"
#include "netns/firewall.h"
#include "netns/forwarding.h"
#include "netns/link.h"
#include "netns/namespace.h"

#define AT_ONCE 100
#define VNI     4096 /* of the VPC whose security groups are measured */

struct host {
	const char *plugins;
	int rounds;
	struct netlink *netlink;
};

struct task {
	char path[64];
	char id[32];
	int netns;
	char *conflist;
};

static void check(int r, const struct error *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s\n", err->text);
	exit(1);
}

static void enter_own_host(struct host *host)
{
	char directory[] = "/tmp/berth-bench-network.XXXXXX";
	struct netlink_batch *batch = netlink_batch_new();
	struct error err = ERROR_INIT;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		bench_fail("a host of its own");
	/* In this mount namespace only: it goes with the program. */
	if (!mkdtemp(directory) || mount("berth-bench", directory, "tmpfs", 0, NULL) < 0 ||
	    chdir(directory) < 0)
		bench_fail(directory);
	check(netlink_open(&host->netlink, &err), &err);
	check(forwarding_enable(host->netlink, AF_INET, &err), &err);
	link_set_up(batch, 1, "lo");
	check(netlink_run(host->netlink, batch, &err), &err);
	netlink_batch_free(batch);
}

static void leave_own_host(struct host *host)
{
	char *directory = getcwd(NULL, 0);

	netlink_close(host->netlink);
	if (chdir("/") < 0 || umount2(directory, MNT_DETACH) < 0 || rmdir(directory) < 0)
		bench_fail(directory);
	free(directory);
}

/* What one measurement leaves to the kernel's workers is not the next one's. */
static void settle(struct host *host)
{
	struct link_list links;
	struct error err = ERROR_INIT;
	size_t count;

	do {
		usleep(5000);
		check(link_list(host->netlink, 0, &links, &err), &err);
		count = links.count;
		link_list_free(&links);
	} while (count > 1);
}

static int compare(const void *a, const void *b)
{
	const double *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare);
	return values[count / 2];
}

/* ---- one task's network ---- */

static struct task task_name(int number)
{
	struct task task = { .netns = -1 };
	char mac[MAC_TEXT_SIZE], address[IP_TEXT_SIZE];
	const char *const addresses[] = { address };
	const struct awsvpc_eni eni = { .id = "eni-1",
					.mac = mac,
					.ipv4_addresses = addresses,
					.ipv4_count = 1,
					.ipv4_gateway = "10.99.0.1/24" };
	const struct awsvpc_options options = { .driver = "veth", .endpoint = "169.254.170.2" };
	struct error err = ERROR_INIT;

	snprintf(task.id, sizeof(task.id), "task-%d", number);
	snprintf(task.path, sizeof(task.path), "netns-%d", number);
	snprintf(mac, sizeof(mac), "0a:00:00:00:00:%02x", (unsigned)number & 0xff);
	snprintf(address, sizeof(address), "10.99.0.%d", number + 2);
	check(awsvpc_conflist(&eni, &options, &task.conflist, &err), &err);
	return task;
}

static void task_open(struct task *task)
{
	struct error err = ERROR_INIT;

	check(netns_create(task->path, NULL, &task->netns, &err), &err);
}

static void task_end(struct task *task)
{
	struct error err = ERROR_INIT;

	close(task->netns);
	check(netns_delete(task->path, NULL, &err), &err);
	free(task->conflist);
}

/* The task's plugin configuration, as the agent's runtime gives it to ecs-eni. */
static char *stdin_of(const struct task *task)
{
	json_t *list = json_loads(task->conflist, 0, NULL);
	json_t *plugin = json_incref(json_array_get(json_object_get(list, "plugins"), 0));
	char *text;

	json_object_set(plugin, "name", json_object_get(list, "name"));
	json_object_set(plugin, "cniVersion", json_object_get(list, "cniVersion"));
	text = json_dumps(plugin, JSON_COMPACT);
	json_decref(plugin);
	json_decref(list);
	return text;
}

static const char *variable(void *data, const char *name)
{
	const struct task *task = data;

	return strcmp(name, "CNI_COMMAND") == 0       ? "ADD"
	       : strcmp(name, "CNI_CONTAINERID") == 0 ? task->id
	       : strcmp(name, "CNI_NETNS") == 0       ? task->path
	       : strcmp(name, "CNI_IFNAME") == 0      ? "eth0"
	       : strcmp(name, "CNI_PATH") == 0        ? "/nowhere"
						      : NULL;
}

static void add_in_process(struct task *task, const char *config)
{
	char name[] = "ecs-eni", *argv[] = { name, NULL }, *out = NULL;
	size_t out_size;
	int in[2];
	struct cni_world world = { .get_env = variable, .data = task, .about = stderr };

	if (pipe(in) < 0 || write(in[1], config, strlen(config)) < 0)
		bench_fail("pipe");
	close(in[1]);
	world.in = in[0];
	world.out = open_memstream(&out, &out_size);
	if (cni_run(&eni_plugin, &world, 1, argv) != 0) {
		fflush(world.out);
		bench_fail(out);
	}
	fclose(world.out);
	close(in[0]);
	free(out);
}

static void add_by_exec(const struct host *host, const struct task *task, const char *config)
{
	char *program = xasprintf("%s/ecs-eni", host->plugins);
	char *env[] = { xstrdup("CNI_COMMAND=ADD"),
			xasprintf("CNI_CONTAINERID=%s", task->id),
			xasprintf("CNI_NETNS=%s", task->path),
			xstrdup("CNI_IFNAME=eth0"),
			xasprintf("CNI_PATH=%s", host->plugins),
			NULL };
	char *argv[] = { program, NULL };
	posix_spawn_file_actions_t actions;
	char answer[4096] = "";
	int in[2], out[2], status;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
	    write(in[1], config, strlen(config)) < 0)
		bench_fail("pipe");
	close(in[1]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	errno = posix_spawn(&pid, program, &actions, NULL, argv, env);
	if (errno != 0)
		bench_fail(program);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	while (read(out[0], answer, sizeof(answer) - 1) > 0)
		;
	close(out[0]);
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		bench_fail(answer);
	for (size_t i = 0; env[i]; i++)
		free(env[i]);
	free(program);
}

static double since_us(int64_t began_ns)
{
	return (double)(clock_monotonic_ns() - began_ns) / 1000;
}

/* Turn by turn, so that whatever else the machine does hits all alike. */
static void one_task(struct host *host)
{
	double *floor = xcalloc((size_t)host->rounds, sizeof(*floor));
	double *space = xcalloc((size_t)host->rounds, sizeof(*space));
	double *own = xcalloc((size_t)host->rounds, sizeof(*own));
	double *exec = xcalloc((size_t)host->rounds, sizeof(*exec));
	int64_t began_ns;

	for (int i = 0; i < host->rounds; i++) {
		struct task task = task_name(0);
		char *config = stdin_of(&task);
		struct floor_space least;

		began_ns = clock_monotonic_ns();
		floor_make(&least, 1000 + i, (const uint8_t[]){ 10, 97, 0, 2 });
		floor[i] = since_us(began_ns);
		floor_drop(&least);
		settle(host);

		began_ns = clock_monotonic_ns();
		task_open(&task);
		space[i] = since_us(began_ns);
		add_in_process(&task, config);
		own[i] = since_us(began_ns);
		task_end(&task);
		settle(host);

		task = task_name(0);
		task_open(&task);
		began_ns = clock_monotonic_ns();
		add_by_exec(host, &task, config);
		exec[i] = since_us(began_ns);
		task_end(&task);
		settle(host);
		free(config);
	}
	printf("floor_us %.0f\nnamespace_us %.0f\nin_process_us %.0f\nexec_us %.0f\n",
	       median(floor, host->rounds), median(space, host->rounds), median(own, host->rounds),
	       median(exec, host->rounds));
	free(floor);
	free(space);
	free(own);
	free(exec);
}

/* ---- many, by the agent's runtime ---- */

struct attaching {
	struct loop *loop;
	int left;
};

static void attached(void *data, const struct cni_result *result, const struct error *err)
{
	struct attaching *attaching = data;

	(void)result;
	check(err ? -1 : 0, err);
	if (--attaching->left == 0)
		loop_stop(attaching->loop);
}

static double attach(struct host *host, int count)
{
	struct attaching attaching = { .left = count };
	const struct cni_runtime_config config = { .plugin_path = host->plugins,
						   .cache_directory = "cache" };
	struct cni_runtime_config with_loop = config;
	struct task tasks[AT_ONCE];
	struct cni_runtime *runtime;
	struct error err = ERROR_INIT;
	int64_t began_ns;
	double took_ms;

	check(loop_new(&attaching.loop, &err), &err);
	with_loop.loop = attaching.loop;
	check(cni_runtime_new(&with_loop, &runtime, &err), &err);
	for (int i = 0; i < count; i++)
		tasks[i] = task_name(i);
	began_ns = clock_monotonic_ns();
	for (int i = 0; i < count; i++) {
		const struct cni_attachment attachment = { .container_id = tasks[i].id,
							   .netns_path = tasks[i].path,
							   .ifname = "eth0",
							   .conflist = tasks[i].conflist };

		task_open(&tasks[i]);
		cni_add(runtime, &attachment, attached, &attaching, NULL);
	}
	loop_run(attaching.loop);
	took_ms = since_us(began_ns) / 1000;
	attaching.left = count;
	for (int i = 0; i < count; i++)
		cni_del(runtime,
			&(struct cni_attachment){ .container_id = tasks[i].id,
						  .netns_path = tasks[i].path,
						  .ifname = "eth0" },
			attached, &attaching, NULL);
	loop_run(attaching.loop);
	for (int i = 0; i < count; i++)
		task_end(&tasks[i]);
	cni_runtime_free(runtime);
	loop_free(attaching.loop);
	settle(host);
	return took_ms;
}

static void attach_many(struct host *host)
{
	double one[20];

	for (int i = 0; i < 20; i++)
		one[i] = attach(host, 1);
	printf("attach_1_ms %.2f\nattach_100_ms %.0f\n", median(one, 20), attach(host, AT_ONCE));
}

/* ---- a task more in the firewall ---- */

/* As agent/network/wanted.c has it: interfaces of a VPC, each on its link. */
static struct firewall_state *wanted(int interfaces, bool one_more)
{
	struct firewall_state *state = firewall_state_new();
	const struct firewall_rule in = { 6, 80, 80, .group = "sg-0" },
				   out = { -1, -1, -1, .group = "sg-1" };
	struct error err = ERROR_INIT;
	char id[16];

	for (int g = 0; g < 20; g++) {
		const struct firewall_group group = { .id = id,
						      .in = { &in, 1 },
						      .out = { &out, 1 } };

		snprintf(id, sizeof(id), "sg-%d", g);
		check(firewall_state_add_group(state, &group, &err), &err);
	}
	for (int i = 0; i < interfaces + one_more; i++) {
		const struct ip_address address = {
			AF_INET, { 10, 1, (uint8_t)(i / 250), (uint8_t)(i % 250 + 1) }
		};
		const char *const groups[] = { id };
		char link[16];
		const struct firewall_interface interface = { .vni = VNI,
							      .link = link,
							      .addresses = { &address, 1 },
							      .groups = groups,
							      .group_count = 1 };

		snprintf(id, sizeof(id), "sg-%d", i % 20);
		snprintf(link, sizeof(link), "ve%08x", (unsigned)i);
		check(firewall_state_add_interface(state, &interface, &err), &err);
	}
	return state;
}

/* The median of its coming and of its going; where there are no others, the table comes and goes.
 */
static double change_us(struct firewall *firewall, int interfaces, int rounds)
{
	double *took = xcalloc((size_t)rounds * 2, sizeof(*took)), result;
	struct error err = ERROR_INIT;

	check(firewall_apply(firewall, wanted(interfaces, false), &err), &err);
	for (int i = 0; i < 2 * rounds; i++) {
		struct firewall_state *state = wanted(interfaces, i % 2 == 0);
		int64_t began_ns = clock_monotonic_ns();

		check(firewall_apply(firewall, state, &err), &err);
		took[i] = since_us(began_ns);
	}
	result = median(took, 2 * rounds);
	free(took);
	return result;
}

static void firewall_changes(struct host *host)
{
	struct firewall *firewall = firewall_new("berth-bench");
	const int counts[] = { 0, 1, 200, 1000 };
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < 4; i++)
		printf("nft_%d_us %.0f\n", counts[i], change_us(firewall, counts[i], host->rounds));
	check(firewall_apply(firewall, firewall_state_new(), &err), &err);
	firewall_free(firewall);
}

/* ---- between two tasks ---- */

static void flows(struct host *host)
{
	struct task tasks[2] = { task_name(0), task_name(1) };
	struct floor_space spaces[2];
	struct flow bare, own;
	int64_t stream_ms = host->rounds * 20;

	floor_pair(spaces);
	for (int i = 0; i < 2; i++) {
		char *config = stdin_of(&tasks[i]);

		task_open(&tasks[i]);
		add_in_process(&tasks[i], config);
		free(config);
	}
	bare = flow_measure(spaces[0].netns, spaces[1].netns, "10.98.0.2", stream_ms,
			    host->rounds * 100);
	own = flow_measure(tasks[0].netns, tasks[1].netns, "10.99.0.3", stream_ms,
			   host->rounds * 100);
	printf("bare_gbit %.2f\nown_gbit %.2f\nbare_rtt_us %.1f\nown_rtt_us %.1f\n",
	       bare.gbit_per_s, own.gbit_per_s, bare.rtt_us, own.rtt_us);
	for (int i = 0; i < 2; i++) {
		floor_drop(&spaces[i]);
		task_end(&tasks[i]);
	}
	settle(host);
}

int main(int argc, char **argv)
{
	struct host host = { .rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 50 };

	if (argc < 2 || argv[1][0] != '/' || host.rounds < 1) {
		fprintf(stderr, "usage: bench-network PLUGIN-DIRECTORY [ROUNDS]\n");
		return 2;
	}
	host.plugins = argv[1];
	enter_own_host(&host);
	one_task(&host);
	attach_many(&host);
	firewall_changes(&host);
	flows(&host);
	leave_own_host(&host);
	return 0;
}

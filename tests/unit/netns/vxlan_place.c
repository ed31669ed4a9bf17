/* SPDX-License-Identifier: Apache-2.0 */
#include "vxlan_place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "firewall_text.h"
#include "live.h"
#include "netns/addr.h"
#include "netns/bridge.h"
#include "netns/link.h"
#include "netns/namespace.h"
#include "netns/neigh.h"
#include "netns/route.h"
#include "netns/sysctl.h"
#include "netns/vxlan_link.h"

#define TABLE "berth-firewall"

struct place_host place_hosts[PLACE_HOSTS];
static int wire = -1;

static struct ip_address address_of(const char *text)
{
	struct ip_address address;

	assert_int_equal(ip_parse(text, &address, NULL), 0);
	return address;
}

struct running {
	void (*work)(void *data);
	void *data;
};

static int run_here(void *data, struct error *err)
{
	const struct running *running = data;

	running->work(running->data);
	return 0;
}

void place_host_run(struct place_host *host, void (*work)(void *data), void *data)
{
	struct running running = { work, data };

	assert_int_equal(netns_run(host->netns, run_here, &running, NULL), 0);
}

/* --- the wire */

static void enable_forwarding(void *data)
{
	sysctl_set("net.ipv4.ip_forward", "1", NULL);
	sysctl_set("net.ipv6.conf.all.forwarding", "1", NULL);
}

static void add_address(struct netlink_batch *batch, const struct link *link, const char *text,
			unsigned int length)
{
	const struct ip_prefix prefix = { address_of(text), length };

	address_add(batch, link->index, link->name, &prefix);
}

static void connect_host(struct netlink *wire_netlink, int bridge, struct place_host *host,
			 int number)
{
	char name[16];
	struct veth_spec pair = { .host_name = name,
				  .peer_name = "up0",
				  .peer_netns_fd = host->netns,
				  .host_mac = { { 2, 0, 0, 0, 1, (unsigned char)number } },
				  .peer_mac = { { 2, 0, 0, 0, 2, (unsigned char)number } },
				  .master_index = bridge };
	struct netlink *netlink = NULL;
	struct netlink_batch *batch = netlink_batch_new();
	struct link port, up;
	const struct ip_address v6 = address_of(host->v6);

	snprintf(name, sizeof(name), "port%d", number);
	assert_int_equal(veth_create(wire_netlink, &pair, &port, NULL), 0);
	link_set_up(batch, port.index, port.name);
	assert_int_equal(netlink_run(wire_netlink, batch, NULL), 0);
	assert_int_equal(netlink_open_in(host->netns, &netlink, NULL), 0);
	assert_int_equal(link_by_name(netlink, "up0", &up, NULL), 0);
	link_set_up(batch, up.index, up.name);
	add_address(batch, &up, host->v4, 24);
	add_address(batch, &up, host->v6, 64);
	assert_int_equal(netlink_run(netlink, batch, NULL), 0);
	assert_int_equal(link_wait_running(netlink, "up0", 30000, NULL), 0);
	assert_int_equal(link_wait_forwarding(wire_netlink, name, 30000, NULL), 0);
	assert_int_equal(address_wait_ready(netlink, &v6, up.index, 30000, NULL), 0);
	netlink_batch_free(batch);
	netlink_close(netlink);
}

static int make_bridge(void *data, struct error *err)
{
	struct netlink *netlink = NULL;
	int r = netlink_open(&netlink, err);

	if (r == 0)
		r = bridge_ensure(netlink, "wire", PLACE_WIRE_MTU, data, err);
	netlink_close(netlink);
	return r;
}

void place_hosts_enter(void)
{
	struct netlink *netlink = NULL;
	struct link bridge;

	live_enter();
	assert_int_equal(netns_create(live_path("wire"), NULL, &wire, NULL), 0);
	assert_int_equal(netns_run(wire, make_bridge, &bridge, NULL), 0);
	assert_int_equal(netlink_open_in(wire, &netlink, NULL), 0);
	for (int i = 0; i < PLACE_HOSTS; i++) {
		struct place_host *host = &place_hosts[i];
		char file[16];

		snprintf(file, sizeof(file), "host%d", i + 1);
		snprintf(host->v4, sizeof(host->v4), "192.0.2.%d", i + 1);
		snprintf(host->v6, sizeof(host->v6), "2001:db8::%d", i + 1);
		assert_int_equal(netns_create(live_path(file), NULL, &host->netns, NULL), 0);
		place_host_run(host, enable_forwarding, NULL);
		connect_host(netlink, bridge.index, host, i + 1);
		place_host_reset(host);
	}
	netlink_close(netlink);
}

void place_hosts_leave(void)
{
	for (int i = 0; i < PLACE_HOSTS; i++) {
		firewall_free(place_hosts[i].firewall);
		vpc_rules_free(place_hosts[i].rules);
		vxlan_free(place_hosts[i].vxlan);
		close(place_hosts[i].netns);
	}
	close(wire);
	live_leave();
}

void place_host_reset(struct place_host *host)
{
	firewall_free(host->firewall);
	vpc_rules_free(host->rules);
	vxlan_free(host->vxlan);
	host->firewall = firewall_new(TABLE);
	host->rules = vpc_rules_new("test");
	host->vxlan = vxlan_new("test");
}

/* --- what they are told */

struct telling {
	struct place_host *host;
	struct firewall_state *state;
	struct tunnel *tunnel;
	struct vpc_link links[PLACE_TASKS + 1];
	char names[PLACE_TASKS + 1][16];
	size_t link_count;
	int result;
};

static void add_link(struct telling *telling, const char *name)
{
	size_t i = telling->link_count++;

	strcpy(telling->names[i], name);
	telling->links[i] = (struct vpc_link){ telling->names[i], PLACE_VNI, NULL, 0 };
}

static void add_links(struct telling *telling, const struct place_map *map, int host)
{
	char name[16];

	for (int i = 0; i < PLACE_TASKS; i++)
		if (map->host_of[i] == host) {
			snprintf(name, sizeof(name), "ve%08x", (unsigned)i);
			add_link(telling, name);
		}
	if (telling->tunnel->network_count > 0)
		add_link(telling, PLACE_DEVICE);
}

static void append_interfaces(struct strbuf *lines, const struct place_map *map, int host)
{
	for (int i = 0; i < PLACE_TASKS; i++)
		if (map->host_of[i] == host)
			strbuf_appendf(lines,
				       "interface vpc=%d link=ve%08x 10.0.1.%d fd00:1::%d sg-all\n",
				       PLACE_VNI, i, i, i);
}

static void add_task(struct telling *telling, const struct place_map *map, int task)
{
	const struct place_host *on = &place_hosts[map->host_of[task]];
	struct tunnel_peer peer = { .vni = PLACE_VNI };
	char v4[32], v6[32];

	snprintf(v4, sizeof(v4), "10.0.1.%d", task);
	snprintf(v6, sizeof(v6), "fd00:1::%d", task);
	peer.host = address_of(telling->host->is_v6 ? on->v6 : on->v4);
	peer.address = address_of(v4);
	assert_int_equal(tunnel_add_peer(telling->tunnel, &peer, NULL), 0);
	peer.address = address_of(v6);
	assert_int_equal(tunnel_add_peer(telling->tunnel, &peer, NULL), 0);
}

static struct tunnel *tunnel_of(struct telling *telling, const struct place_map *map)
{
	struct place_host *host = telling->host;
	const struct ip_address local = address_of(host->is_v6 ? host->v6 : host->v4);
	const struct ip_prefix prefixes[] = { { address_of("10.0.1.0"), 24 },
					      { address_of("fd00:1::"), 64 } };
	const struct tunnel_network network = { PLACE_VNI, prefixes, 2 };
	int number = (int)(host - place_hosts);
	bool here = false;

	telling->tunnel = tunnel_new(&local, PLACE_PORT);
	for (int i = 0; i < PLACE_TASKS; i++)
		here = here || map->host_of[i] == number;
	if (here)
		tunnel_add_network(telling->tunnel, &network);
	for (int i = 0; here && i < PLACE_TASKS; i++)
		if (map->host_of[i] >= 0 && map->host_of[i] != number)
			add_task(telling, map, i);
	return telling->tunnel;
}

static void tell(void *data)
{
	struct telling *telling = data;
	struct place_host *host = telling->host;

	telling->result = vxlan_withdraw(host->vxlan, telling->tunnel, &host->err);
	if (telling->result >= 0)
		telling->result = firewall_apply(host->firewall, TAKE(telling->state), &host->err);
	if (telling->result >= 0 &&
	    vpc_rules_apply(host->rules, telling->links, telling->link_count, &host->err) < 0)
		telling->result = -1;
	if (telling->result >= 0)
		telling->result =
			vxlan_apply(host->vxlan, TAKE(telling->tunnel), &host->mtu, &host->err);
}

int place_tell(struct place_host *host, const struct place_map *map)
{
	struct telling telling = { .host = host };
	struct strbuf lines = STRBUF_INIT;

	strbuf_append(&lines, "group sg-all\n");
	strbuf_append(&lines, map->rules ? map->rules
					 : " in -1 -1 -1 0.0.0.0/0\n in -1 -1 -1 ::/0\n"
					   " out -1 -1 -1 0.0.0.0/0\n out -1 -1 -1 ::/0\n");
	append_interfaces(&lines, map, (int)(host - place_hosts));
	telling.state = firewall_text(lines.data);
	telling.state->tunnel = tunnel_copy(tunnel_of(&telling, map));
	add_links(&telling, map, (int)(host - place_hosts));
	host->err = (struct error)ERROR_INIT;
	place_host_run(host, tell, &telling);
	tunnel_free(telling.tunnel);
	strbuf_free(&lines);
	return telling.result;
}

void place_tell_all(const struct place_map *map)
{
	for (int i = 0; i < PLACE_HOSTS; i++) {
		int r = place_tell(&place_hosts[i], map);

		if (r != 0)
			print_message("host %d: %s\n", i + 1, place_hosts[i].err.text);
		assert_int_equal(r, 0);
	}
}

struct making {
	int number;
	struct place_task task;
};

static void make_task(void *data)
{
	struct making *making = data;

	making->task = place_task_new(making->number);
}

struct place_task place_task_on(struct place_host *host, int number)
{
	struct making making = { .number = number };

	place_host_run(host, make_task, &making);
	return making.task;
}

/* --- what is there */

static void list_neighbour(void *data, const struct ip_address *address)
{
	char text[IP_TEXT_SIZE];

	strbuf_appendf(data, "neighbour %s\n", ip_format(address, text));
}

static void list_fdb(void *data, const struct mac_address *mac, const struct ip_address *host)
{
	char text[IP_TEXT_SIZE], mac_text[MAC_TEXT_SIZE];

	strbuf_appendf(data, "%s at %s\n", mac_format(mac, mac_text), ip_format(host, text));
}

static void list_routes(struct netlink *netlink, struct strbuf *out)
{
	struct route_list routes = { 0 };
	char destination[IP_TEXT_SIZE], gateway[IP_TEXT_SIZE];

	assert_int_equal(route_list_all(netlink, &routes, NULL), 0);
	for (size_t i = 0; i < routes.count; i++) {
		const struct route *route = &routes.items[i];

		if (route->type == ROUTE_BLACKHOLE)
			strbuf_appendf(out, "drop %s\n",
				       ip_prefix_format(&route->destination, destination));
		else if (route->onlink && route->gateway.family)
			strbuf_appendf(out, "%s via %s\n",
				       ip_prefix_format(&route->destination, destination),
				       ip_format(&route->gateway, gateway));
	}
	route_list_free(&routes);
}

char *place_host_listing(struct place_host *host)
{
	struct strbuf out = STRBUF_INIT;
	struct link_list links = { 0 };
	struct netlink *netlink = NULL;

	assert_int_equal(netlink_open_in(host->netns, &netlink, NULL), 0);
	assert_int_equal(link_list(netlink, LINK_GROUP_TUNNEL, &links, NULL), 0);
	for (size_t i = 0; i < links.count; i++) {
		strbuf_appendf(&out, "%s %u %s\n", links.items[i].name, links.items[i].mtu,
			       links.items[i].alias);
		assert_int_equal(
			neighbour_list(netlink, links.items[i].index, list_neighbour, &out, NULL),
			0);
		assert_int_equal(fdb_list(netlink, links.items[i].index, list_fdb, &out, NULL), 0);
	}
	link_list_free(&links);
	list_routes(netlink, &out);
	netlink_close(netlink);
	strbuf_append(&out, "");
	return out.data;
}

/* --- packets of others */

struct packet {
	unsigned char vxlan[8];
	struct ether_header ether;
	struct iphdr ip;
	struct udphdr udp;
	char data;
} __attribute__((packed));

static uint16_t ip_sum(struct iphdr ip)
{
	uint16_t words[sizeof(ip) / 2];
	uint32_t sum = 0;

	memcpy(words, &ip, sizeof(ip));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		sum += words[i];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void fill(struct packet *packet, const char *target, uint32_t vni, const char *inner,
		 const char *to)
{
	const struct ip_address host = address_of(target), from = address_of(inner),
				dst = address_of(to);
	const struct mac_address mac = vxlan_mac(&host);

	*packet = (struct packet){
		.vxlan = { 0x08, 0, 0, 0, (unsigned char)(vni >> 16), (unsigned char)(vni >> 8),
			   (unsigned char)vni, 0 },
		.ether.ether_type = htons(ETHERTYPE_IP),
		.ip = { .version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.tot_len = htons(sizeof(struct iphdr) + sizeof(struct udphdr) + 1) },
		.udp = { .uh_sport = htons(4321),
			 .uh_dport = htons(4321),
			 .uh_ulen = htons(sizeof(struct udphdr) + 1) },
		.data = 'x',
	};
	memcpy(packet->ether.ether_dhost, mac.bytes, MAC_SIZE);
	packet->ether.ether_shost[0] = 2;
	memcpy(&packet->ip.saddr, from.bytes, 4);
	memcpy(&packet->ip.daddr, dst.bytes, 4);
	packet->ip.check = ip_sum(packet->ip);
}

struct packing {
	const char *outer, *target, *inner, *to;
	uint32_t vni;
};

static int send_packed(void *data, struct error *err)
{
	const struct packing *packing = data;
	struct packet packet;
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	fill(&packet, packing->target, packing->vni, packing->inner, packing->to);
	inet_pton(AF_INET, packing->outer, &from.sin_addr);
	inet_pton(AF_INET, packing->target, &to.sin_addr);
	to.sin_port = htons(PLACE_PORT);
	setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(packet));
	close(fd);
	return 0;
}

void place_pack(int from, const char *outer, const char *target, uint32_t vni, const char *inner,
		const char *to)
{
	struct packing packing = { outer, target, inner, to, vni };

	assert_int_equal(netns_run(from, send_packed, &packing, NULL), 0);
}

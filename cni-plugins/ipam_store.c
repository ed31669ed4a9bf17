/* SPDX-License-Identifier: Apache-2.0 */
#include "cni-plugins/ipam_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strbuf.h"

#define FILE_LIMIT      4096
#define OWNER_NAME_SIZE 240 /* what a file's name can hold, less our suffix */
#define LOCK_WAIT_US    5000
#define BOOT_ID         "/proc/sys/kernel/random/boot_id"
#define PENDING         "pending"

struct ipam_store {
	char *path;
	int directory;
	int lock;
	int leases;
	int owners;
};

void ipam_store_close(struct ipam_store *store)
{
	if (!store)
		return;
	if (store->owners >= 0)
		close(store->owners);
	if (store->leases >= 0)
		close(store->leases);
	if (store->lock >= 0)
		close(store->lock);
	if (store->directory >= 0)
		close(store->directory);
	free(store->path);
	free(store);
}

static int open_directory(int parent, const char *name, int *ret_fd)
{
	int fd;

	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int take_lock(struct ipam_store *store, int64_t timeout_ms, struct error *err)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

	store->lock =
		openat(store->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock < 0)
		return error_set(err, errno, "open the lock of address store %s", store->path);
	while (flock(store->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set(err, errno, "lock address store %s", store->path);
		if (clock_monotonic_ms() >= deadline_ms)
			return error_say(err, ETIMEDOUT,
					 "address store %s is locked by another process and was "
					 "not released within %lld ms",
					 store->path, (long long)timeout_ms);
		usleep(LOCK_WAIT_US);
	}
	return 0;
}

/* Replaced in one step, by way of a file that all have in common, as there is a lock: who is killed
 * meanwhile leaves nothing that the next one does not write over. */
static int write_file(const struct ipam_store *store, int directory, const char *name,
		      const char *data, size_t size, struct error *err)
{
	_cleanup_close_ int fd =
		openat(store->directory, PENDING,
		       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : file_write_all(fd, data, size);

	if (r == 0 && renameat(store->directory, PENDING, directory, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(store->directory, PENDING, 0);
		error_set(err, -r, "write %s in address store %s", name, store->path);
	}
	return r;
}

static int forget_all(struct ipam_store *store, struct error *err)
{
	static const char *const names[] = { "leases", "owners", "last.4", "last.6" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int r = file_remove_tree(store->directory, names[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Leases of an earlier boot are void: the namespaces that had them are gone. */
static int check_boot(struct ipam_store *store, struct error *err)
{
	_cleanup_free_ char *now = NULL;
	_cleanup_free_ char *then = NULL;
	int r = file_read(AT_FDCWD, BOOT_ID, FILE_LIMIT, &now, NULL, err);

	if (r < 0)
		return r;
	r = file_read(store->directory, "boot", FILE_LIMIT, &then, NULL, NULL);
	if (r == 0 && str_eq(now, then))
		return 0;
	r = forget_all(store, err);
	if (r == 0)
		r = write_file(store, store->directory, "boot", now, strlen(now), err);
	return r;
}

int ipam_store_open(const char *directory, const char *network, int64_t timeout_ms,
		    struct ipam_store **ret, struct error *err)
{
	struct ipam_store *store;
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, network);
	int r = file_mkdirs(path, 0700, err);

	if (r < 0) {
		error_prefix(err, "open address store");
		return r;
	}
	store = xcalloc(1, sizeof(*store));
	*store = (struct ipam_store){
		.path = TAKE(path), .directory = -1, .lock = -1, .leases = -1, .owners = -1
	};
	store->directory = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->directory < 0)
		r = error_set(err, errno, "open address store %s", store->path);
	if (r == 0)
		r = take_lock(store, timeout_ms, err);
	if (r == 0)
		r = check_boot(store, err);
	if (r == 0) {
		r = open_directory(store->directory, "leases", &store->leases);
		if (r == 0)
			r = open_directory(store->directory, "owners", &store->owners);
		if (r < 0)
			error_set(err, -r, "open address store %s", store->path);
	}
	if (r < 0) {
		ipam_store_close(store);
		return r;
	}
	*ret = store;
	return 0;
}

static const char *family_suffix(int family)
{
	return family == AF_INET6 ? ".6" : ".4";
}

static const char *last_name(int family)
{
	return family == AF_INET6 ? "last.6" : "last.4";
}

/* The file that says which address an owner has. */
static int owner_file(const char *id, int family, char **ret, struct error *err)
{
	struct strbuf name = STRBUF_INIT;

	strbuf_append_urlencoded(&name, id);
	if (name.length == 0 || name.length > OWNER_NAME_SIZE) {
		strbuf_free(&name);
		error_say(err, EINVAL,
			  "the lease's owner \"%.64s\" is empty or longer than %d bytes", id,
			  OWNER_NAME_SIZE);
		return -EINVAL;
	}
	/* A name of "." or ".." cannot arise: the suffix follows. */
	strbuf_append(&name, family_suffix(family));
	*ret = strbuf_take(&name);
	return 0;
}

static int read_address(int directory, const char *name, int family, struct ip_address *ret)
{
	_cleanup_free_ char *text = NULL;
	struct ip_address address;
	int r = file_read(directory, name, FILE_LIMIT, &text, NULL, NULL);

	if (r < 0)
		return r;
	if (ip_parse(text, &address, NULL) < 0 || address.family != family)
		return -EBADMSG;
	*ret = address;
	return 0;
}

static int write_address(const struct ipam_store *store, int directory, const char *name,
			 const struct ip_address *address, struct error *err)
{
	char text[IP_TEXT_SIZE];

	ip_format(address, text);
	return write_file(store, directory, name, text, strlen(text), err);
}

bool ipam_store_is_leased(const struct ipam_store *store, const struct ip_address *address)
{
	char text[IP_TEXT_SIZE];

	return faccessat(store->leases, ip_format(address, text), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void lease_free(struct ipam_lease *lease)
{
	free(lease->owner);
	free(lease->container_id);
	free(lease->ifname);
	*lease = (struct ipam_lease){ 0 };
}

/* -EBADMSG for a file that we did not write like that. */
static int read_lease(const struct ipam_store *store, const char *name, struct ipam_lease *ret)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *value = NULL;
	struct ip_address address;
	struct json_at root;
	const char *owner, *container_id, *ifname;
	size_t size;
	int r;

	if (ip_parse(name, &address, NULL) < 0)
		return -EBADMSG;
	r = file_read(store->leases, name, FILE_LIMIT, &text, &size, NULL);
	if (r < 0)
		return r;
	if (json_parse(text, size, NULL, &value, NULL) < 0)
		return -EBADMSG;
	root = json_root(value);
	if (json_expect_object(&root, NULL) < 0 ||
	    json_get_string(&root, "owner", JSON_REQUIRED, &owner, NULL) < 0 ||
	    json_get_string(&root, "containerID", JSON_REQUIRED, &container_id, NULL) < 0 ||
	    json_get_string(&root, "ifname", JSON_REQUIRED, &ifname, NULL) < 0)
		return -EBADMSG;
	*ret = (struct ipam_lease){
		.address = address,
		.owner = xstrdup(owner),
		.container_id = xstrdup(container_id),
		.ifname = xstrdup(ifname),
	};
	return 0;
}

static bool is_owned_by(const struct ipam_store *store, const struct ip_address *address,
			const char *owner_id)
{
	struct ipam_lease lease = { 0 };
	char text[IP_TEXT_SIZE];
	bool owned = read_lease(store, ip_format(address, text), &lease) == 0 &&
		     str_eq(lease.owner, owner_id);

	lease_free(&lease);
	return owned;
}

int ipam_store_find(struct ipam_store *store, const char *owner_id, int family,
		    struct ip_address *ret, struct error *err)
{
	_cleanup_free_ char *file = NULL;
	struct ip_address address;
	int r = owner_file(owner_id, family, &file, err);

	if (r < 0)
		return r;
	/* The owner's file is written before the lease: one without a lease was cut off, and means
	 * nothing. */
	r = read_address(store->owners, file, family, &address);
	if (r == 0 && is_owned_by(store, &address, owner_id)) {
		*ret = address;
		return 0;
	}
	if (r < 0 && r != -ENOENT && r != -EBADMSG && r != -EFBIG)
		return error_set(err, -r, "read %s of address store %s", file, store->path);
	return error_say(err, ENOENT, "no ip address associated with the given id %.128s",
			 owner_id);
}

static int write_lease(struct ipam_store *store, const struct ip_address *address,
		       const struct ipam_owner *owner, struct error *err)
{
	_cleanup_free_ char *file = NULL;
	_cleanup_strbuf_ struct strbuf json = STRBUF_INIT;
	char name[IP_TEXT_SIZE], time[CLOCK_ISO8601_SIZE];
	int r = owner_file(owner->id, address->family, &file, err);

	if (r < 0)
		return r;
	strbuf_append(&json, "{\"owner\":");
	strbuf_append_json(&json, owner->id);
	strbuf_append(&json, ",\"containerID\":");
	strbuf_append_json(&json, owner->container_id);
	strbuf_append(&json, ",\"ifname\":");
	strbuf_append_json(&json, owner->ifname);
	strbuf_appendf(&json, ",\"time\":\"%s\"}\n", format_iso8601(clock_wall_ms(), time));
	r = write_address(store, store->owners, file, address, err);
	if (r == 0)
		r = write_address(store, store->directory, last_name(address->family), address,
				  err);
	if (r == 0)
		r = write_file(store, store->leases, ip_format(address, name), json.data,
			       json.length, err);
	if (r < 0) {
		unlinkat(store->owners, file, 0);
		error_prefix(err, "record a lease in address store %s", store->path);
	}
	return r;
}

static int refuse_second(struct ipam_store *store, const struct ipam_owner *owner, int family,
			 struct error *err)
{
	struct ip_address address;
	char text[IP_TEXT_SIZE];
	int r = ipam_store_find(store, owner->id, family, &address, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return error_say(err, EEXIST, "id already exists: %.128s has address %s", owner->id,
			 ip_format(&address, text));
}

int ipam_store_take(struct ipam_store *store, const struct ip_address *address,
		    const struct ipam_owner *owner, struct error *err)
{
	char text[IP_TEXT_SIZE];
	int r = refuse_second(store, owner, address->family, err);

	if (r < 0)
		return r;
	if (ipam_store_is_leased(store, address))
		return error_say(err, EADDRINUSE, "ip address %s is already in use",
				 ip_format(address, text));
	return write_lease(store, address, owner, err);
}

/* The network's own address; for IPv4 also the broadcast address; and the gateway's. */
static bool is_reserved(const struct ip_prefix *network, const struct ip_address *gateway,
			const struct ip_address *address)
{
	struct ip_address next = ip_next(address);

	if (ip_equal(address, &network->address) || ip_equal(address, gateway))
		return true;
	return address->family == AF_INET && !ip_prefix_contains(network, &next);
}

int ipam_store_find_free(struct ipam_store *store, const struct ip_prefix *subnet,
			 const struct ip_address *gateway, struct ip_address *ret,
			 struct error *err)
{
	const struct ip_prefix network = ip_prefix_network(subnet);
	struct ip_address first, address;
	char text[IP_TEXT_SIZE];
	int r = read_address(store->directory, last_name(network.address.family),
			     network.address.family, &first);
	if (r < 0 || !ip_prefix_contains(&network, &first))
		first = network.address;
	/* One full circle; it ends soon in an IPv6 subnet too, for as few addresses as there are
	 * leases are taken. */
	address = first;
	do {
		address = ip_next(&address);
		if (!ip_prefix_contains(&network, &address))
			address = network.address;
		if (!is_reserved(&network, gateway, &address) &&
		    !ipam_store_is_leased(store, &address)) {
			*ret = address;
			return 0;
		}
	} while (!ip_equal(&address, &first));
	return error_say(err, ENOSPC,
			 "failed to find available ip addresses in the subnet %s: all are leased "
			 "(see %s)",
			 ip_prefix_format(&network, text), store->path);
}

int ipam_store_allocate(struct ipam_store *store, const struct ip_prefix *subnet,
			const struct ip_address *gateway, const struct ipam_owner *owner,
			struct ip_address *ret, struct error *err)
{
	struct ip_address address = { 0 };
	int r = refuse_second(store, owner, subnet->address.family, err);

	if (r == 0)
		r = ipam_store_find_free(store, subnet, gateway, &address, err);
	if (r == 0)
		r = write_lease(store, &address, owner, err);
	if (r == 0)
		*ret = address;
	return r;
}

static int remove_file(int directory, const char *name, const struct ipam_store *store,
		       struct error *err)
{
	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		return error_set(err, errno, "remove %s from address store %s", name, store->path);
	return 0;
}

/* The search goes on behind what was given back: an address rests as long as can be before it is
 * another's. */
static int release(struct ipam_store *store, const struct ip_address *address, struct error *err)
{
	char text[IP_TEXT_SIZE];
	int r = remove_file(store->leases, ip_format(address, text), store, err);

	if (r == 0)
		(void)write_address(store, store->directory, last_name(address->family), address,
				    NULL);
	return r;
}

int ipam_store_release(struct ipam_store *store, const char *owner_id, size_t *ret_released,
		       struct error *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	size_t released = 0;

	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *file = NULL;
		struct ip_address address = { 0 };
		int r = ipam_store_find(store, owner_id, families[i], &address, err);

		if (r == 0) {
			r = release(store, &address, err);
			released++;
		}
		if (r < 0 && r != -ENOENT)
			return r;
		r = owner_file(owner_id, families[i], &file, err);
		if (r == 0)
			r = remove_file(store->owners, file, store, err);
		if (r < 0)
			return r;
	}
	if (ret_released)
		*ret_released = released;
	return 0;
}

int ipam_store_release_address(struct ipam_store *store, const struct ip_address *address,
			       struct error *err)
{
	struct ipam_lease lease = { 0 };
	char text[IP_TEXT_SIZE];
	int r = read_lease(store, ip_format(address, text), &lease);

	if (r == -ENOENT)
		return 0;
	r = release(store, address, err);
	if (r == 0 && lease.owner) {
		_cleanup_free_ char *file = NULL;

		if (owner_file(lease.owner, address->family, &file, NULL) == 0)
			r = remove_file(store->owners, file, store, err);
	}
	lease_free(&lease);
	return r;
}

int ipam_store_collect(struct ipam_store *store,
		       bool (*keep)(void *data, const struct ipam_lease *lease), void *data,
		       size_t *ret_released, struct error *err)
{
	_cleanup_closedir_ DIR *directory = NULL;
	const struct dirent *entry;
	size_t released = 0;
	int fd = openat(store->leases, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory) {
		r = error_set(err, errno, "list the leases of address store %s", store->path);
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(directory))) {
		struct ipam_lease lease = { 0 };
		bool good;

		if (entry->d_name[0] == '.')
			continue;
		good = read_lease(store, entry->d_name, &lease) == 0;
		if (!good) {
			/* Nobody can say whose it is: it is nobody's. */
			r = remove_file(store->leases, entry->d_name, store, err);
			released++;
		} else if (!keep(data, &lease)) {
			r = ipam_store_release_address(store, &lease.address, err);
			released++;
		}
		lease_free(&lease);
	}
	if (r == 0 && ret_released)
		*ret_released = released;
	return r;
}
